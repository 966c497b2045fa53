"""Can the images be read?"""

from __future__ import annotations

from collections.abc import Iterator

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.doctor.storages import judge
from nearfield.errors import NearfieldError
from nearfield.scheduler.examination import readable


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """As the user, or as whoever asks where no user is named."""
    try:
        known = {} if site.user is None else site.examination().readable
    except NearfieldError as error:
        yield report.not_checked(f"cannot be asked as {site.user}: {error.message}")
        return
    who = site.user or site.me
    for name, environment in site.config.environments.items():
        if environment.image is not None:
            path = str(environment.image)
            yield judge(report, f"{name}: {path}", known.get(path) or readable(path), who)
