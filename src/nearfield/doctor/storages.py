"""Can the storages be read?"""

from __future__ import annotations

from collections.abc import Iterator

from nearfield.doctor.as_user import cannot_ask
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import NearfieldError
from nearfield.scheduler.examination import PathFacts, readable

_ELSEWHERE = "it may be on the nodes only: srun … nearfield doctor asks there"


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """As the user, or as whoever asks where no user is named."""
    named = {f"{n} at {s.prefix}": str(s.prefix) for n, s in site.config.storages.items()}
    yield from judge_all(site, report, named)


def judge_all(site: Site, report: Reporter, paths: dict[str, str]) -> Iterator[Finding]:
    """Each path, by what it is called."""
    try:
        known = {} if site.user is None else site.examination().readable
    except NearfieldError as error:
        yield cannot_ask(site, report, error)
        return
    who = site.user or site.me
    for what, path in paths.items():
        yield judge(report, what, known.get(path) or readable(path), who)


def judge(report: Reporter, what: str, facts: PathFacts, who: str) -> Finding:
    """One path. That it is not here says nothing: nodes may have it."""
    if facts.answer == "yes":
        return report.ok(f"{what}: {who} may read it")
    if facts.answer == "absent":
        return report.not_checked(f"{what} is not on this host", _ELSEWHERE)
    if facts.answer == "hangs":
        return report.problem(f"{what}: {facts.why}", "its file server is down, or the mount stale")
    return report.problem(
        f"{what}: {who} may not read it: {facts.why}", "mend modes, groups or ACLs"
    )
