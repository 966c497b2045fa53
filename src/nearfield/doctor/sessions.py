"""How did the user's last sessions end?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from nearfield.doctor.as_user import as_user
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.scheduler.examination import Examination, LastSession


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """What their folders tell; of the last one the end of its log too."""
    yield from as_user(site, report, _tell)


def _tell(report: Reporter, user: str, found: Examination) -> Iterator[Finding]:
    if not found.last:
        yield report.ok(f"{user} has had no session lately")
    for number, session in enumerate(found.last):
        yield _one(report, session, found.log if number == 0 else "")


def _one(report: Reporter, session: LastSession, log: str) -> Finding:
    when = datetime.fromtimestamp(session.made).astimezone().isoformat(" ", "minutes")
    what = f"{session.name} ({session.profile}) of {when}"
    tail = f"the end of its log:\n{log}" if log else ""
    if session.failure:
        return report.problem(f"{what} did not start: {session.failure}", tail)
    if session.exit_code is None:
        return report.ok(f"{what} runs, or was ended from outside")
    # 143: TERM, which is how a session is stopped.
    if session.exit_code in {0, 143}:
        return report.ok(f"{what} ended in order")
    return report.warning(f"{what} ended with exit code {session.exit_code}", tail)
