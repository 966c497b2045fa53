"""Checks of what the user's own account finds, with one answer where nobody can be asked as it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import NearfieldError
from nearfield.scheduler.examination import Examination

Tell = Callable[[Reporter, str, Examination], Iterator[Finding]]
"""The findings about a user, by name, and what was found as that account."""


def as_user(site: Site, report: Reporter, tell: Tell) -> Iterator[Finding]:
    """What ``tell`` makes of the user's examination; nothing where no user is named."""
    if site.user is None:
        return
    try:
        found = site.examination()
    except NearfieldError as error:
        yield cannot_ask(site, report, error)
        return
    yield from tell(report, site.user, found)


def cannot_ask(site: Site, report: Reporter, error: NearfieldError) -> Finding:
    """Nobody can be asked as that account: no verdict, but the reason."""
    return report.not_checked(f"cannot be asked as {site.user}: {error.message}")
