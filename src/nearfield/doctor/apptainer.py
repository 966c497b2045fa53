"""Is Apptainer there, and can an account without privileges run an image?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import SchedulerUnavailableError

_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_FUSE = Path("/dev/fuse")
_ON_A_NODE = "ask on a node: srun … nearfield doctor"


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """Sessions need it on the nodes; a hub or login node may well lack it."""
    programs = {e.apptainer for e in site.config.environments.values() if e.image is not None}
    if not programs:
        yield report.ok("no environment has an image")
        return
    present = sorted(program for program in programs if program.exists())
    for program in sorted(programs - set(present)):
        yield report.not_checked(f"{program} is not on this host", _ON_A_NODE)
    for program in present:
        try:
            told = site.run([str(program), "--version"], _ENV)
        except SchedulerUnavailableError as error:
            yield report.problem(error.message, "reinstall it")
            continue
        if told.code != 0:
            yield report.problem(f"{program}: {told.words}", "reinstall it")
        else:
            yield report.ok(f"{program}: {told.out.strip()}")
    if present:
        yield _namespaces(site, report)
        yield _fuse(report)


def _namespaces(site: Site, report: Reporter) -> Finding:
    if site.uid == 0:
        return report.not_checked("user namespaces: root may always", "ask as a user")
    told = site.run(["/usr/bin/unshare", "--user", "--map-root-user", "/bin/true"], _ENV)
    if told.code == 0:
        return report.ok("user namespaces can be made")
    return report.problem(
        f"user namespaces cannot be made: {told.words}",
        "sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone,"
        " kernel.apparmor_restrict_unprivileged_userns; or install apptainer-suid",
    )


def _fuse(report: Reporter) -> Finding:
    if not _FUSE.exists():
        return report.warning(
            "/dev/fuse is missing: images are unpacked at each start, or refused",
            "modprobe fuse",
        )
    if not os.access(_FUSE, os.R_OK | os.W_OK):
        return report.warning(
            "/dev/fuse may not be opened: images are unpacked at each start, or refused",
            "chmod 666 /dev/fuse (its mode where udev made it)",
        )
    return report.ok("/dev/fuse can be opened")
