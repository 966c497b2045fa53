"""Can a session be written down in the user's home?"""

from __future__ import annotations

from collections.abc import Iterator

from nearfield.doctor.as_user import as_user
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.scheduler.examination import Examination, FolderFacts

LITTLE_MB = 100


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """The home and the folder of the sessions, as the user."""
    yield from as_user(site, report, _tell)


def _tell(report: Reporter, user: str, found: Examination) -> Iterator[Finding]:
    yield _writable(report, "the home", found.home)
    if found.sessions.path != found.home.path:
        yield _sessions(report, found.sessions, found.uid)
    if found.quota:
        yield report.warning(f"quota: {found.quota}", f"{user} should free space")


def _sessions(report: Reporter, facts: FolderFacts, uid: int) -> Finding:
    if facts.uid is not None and facts.uid != uid:
        return report.problem(
            f"{facts.path} belongs to uid {facts.uid}, and is not used", f"chown {uid} {facts.path}"
        )
    if facts.mode is not None and facts.mode & 0o022:
        return report.problem(
            f"{facts.path} can be written by others (mode {facts.mode:o}), and is not used",
            f"chmod go-w {facts.path}",
        )
    return _writable(report, "the sessions' folder", facts)


def _writable(report: Reporter, what: str, facts: FolderFacts) -> Finding:
    free = "" if facts.free_mb is None else f", {facts.free_mb} MB free"
    if facts.why:
        return report.problem(
            f"{what} {facts.path} cannot be written: {facts.why}{free}",
            "free some space, or mend owner and mode: a session writes its folder there",
        )
    if facts.free_mb is not None and facts.free_mb < LITTLE_MB:
        return report.warning(f"{what} {facts.path} is nearly full{free}", "free some space")
    return report.ok(f"{what} {facts.path} can be written{free}")
