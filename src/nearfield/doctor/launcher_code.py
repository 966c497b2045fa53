"""May anybody but root change what runs as the users?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import NearfieldError
from nearfield.scheduler.launcher_guard import only_roots_code

_CODE = (".py", ".so", ".pth")


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """The launcher, its interpreter and every file of its modules, with all folders above."""
    launchers: set[Path] = set()
    for name, cluster in site.slurm_clusters.items():
        if cluster.submitter == "ssh":
            yield report.not_checked(f"{name}: the launcher is on the submit host", "ask there")
        elif cluster.submitter == "sudo" and cluster.launcher is not None:
            launchers.add(cluster.launcher)
        else:
            yield report.ok(f"{name}: no launcher: jobs are submitted by the account that asks")
    for launcher in sorted(launchers):
        yield _one(report, launcher)


def _one(report: Reporter, launcher: Path) -> Finding:
    if not launcher.exists():
        return report.problem(
            f"{launcher} is not on this host",
            "it must be where sudo runs it: install it there (docs/how-to/install.md, step 2)",
        )
    prefix = launcher.parent.parent
    modules = sorted((prefix / "lib").glob("python3*/site-packages"))
    try:
        only_roots_code([str(launcher), str(prefix / "bin/python"), *map(str, modules)], {})
    except NearfieldError as error:
        return report.error(error)
    for folder in modules:
        if found := _foreign(folder):
            return report.problem(
                f"{found} can be written by others than root: it runs as every user",
                f"chown -R root: {prefix} && chmod -R go-w {prefix}",
            )
    return report.ok(f"{launcher}: only root may change it")


def _foreign(folder: Path) -> str | None:
    """The first file or folder that somebody else may write."""
    for at, _, names in os.walk(folder):
        for path in (at, *(f"{at}/{name}" for name in names if name.endswith(_CODE))):
            found = os.lstat(path)
            # The mode of a link itself says nothing.
            writable = found.st_mode & 0o022 and not stat.S_ISLNK(found.st_mode)
            if found.st_uid != 0 or writable:
                return path
    return None
