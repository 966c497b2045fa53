"""May the hub start the launcher as its users, and nothing else?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nearfield.config import Cluster
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import NearfieldError, SchedulerUnavailableError
from nearfield.scheduler.submitters import SUDO_RULE

SUDO = "/usr/bin/sudo"
_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """The rule of sudo, and then the launcher itself."""
    for name, cluster in site.slurm_clusters.items():
        if cluster.submitter == "direct":
            yield report.ok(f"{name}: jobs are submitted by the account that asks")
        elif site.user is None:
            yield report.not_checked(f"{name}: as whom?", "name a user: nearfield doctor --user")
        else:
            if cluster.submitter == "sudo" and cluster.launcher is not None:
                yield from _rule(site, report, cluster.launcher, site.user)
            yield _answers(site, report, name, cluster, site.user)


def _rule(site: Site, report: Reporter, launcher: Path, user: str) -> Iterator[Finding]:
    hub = site.hub_account
    if hub is None or hub == user:
        why = "which account is the hub's?" if hub is None else f"{user} is the one who asks"
        yield report.not_checked(
            f"the rule in sudoers: {why}", "run the doctor as the hub's account, or as root --hub"
        )
        return
    try:
        wanted = _allowed(site, hub, user, str(launcher))
        more = [
            words
            for argv, words in (
                ((str(launcher), "x"), "the launcher with arguments"),
                (("/bin/sh",), "a shell"),
            )
            if _allowed(site, hub, user, *argv)
        ]
    except SchedulerUnavailableError as error:
        yield report.problem(error.message, "install sudo")
        return
    if not wanted:
        yield report.problem(
            f"sudo does not let {hub} run {launcher} as {user}",
            f"sudoers needs: {SUDO_RULE.format(hub=hub, group='GROUP', launcher=launcher)}"
            f" and {user} in GROUP (sudo -l -U {hub})",
        )
    else:
        yield report.ok(f"sudo lets {hub} run {launcher} as {user}")
    if more:
        yield report.problem(
            f"sudo lets {hub} also run {' and '.join(more)} as {user}",
            'the rule must name the launcher alone, followed by ""',
        )


def _allowed(site: Site, hub: str, user: str, *command: str) -> bool:
    who = () if hub == site.me else ("-U", hub)
    return site.run([SUDO, "-n", "-l", *who, "-u", user, "--", *command], _ENV).code == 0


def _answers(site: Site, report: Reporter, name: str, cluster: Cluster, user: str) -> Finding:
    try:
        found = site.examination(name)
    except NearfieldError as error:
        return report.problem(f"{name}: {error.message}", error.hint or "")
    if user == site.me:
        return report.ok(f"{name}: the doctor is {user}; the launcher was not needed")
    return report.ok(f"{name}: the launcher answers as {user} on {found.host}")
