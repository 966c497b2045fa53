"""Can the images be read?"""

from __future__ import annotations

from collections.abc import Iterator

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.doctor.storages import judge_all


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """As the user, or as whoever asks where no user is named."""
    environments = site.config.environments.items()
    named = {f"{n}: {e.image}": str(e.image) for n, e in environments if e.image is not None}
    yield from judge_all(site, report, named)
