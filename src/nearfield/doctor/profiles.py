"""What may the user start?"""

from __future__ import annotations

import pwd
from collections.abc import Iterator

from nearfield.datasets import Principal
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.profiles import usable
from nearfield.scheduler.launcher_guard import groups_of


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """By Unix groups: those that exist only in the hub are not known here."""
    if site.user is None:
        yield report.ok(f"{len(site.config.profiles)}: {', '.join(site.config.profiles)}")
        return
    try:
        groups = groups_of(pwd.getpwnam(site.user))
    except KeyError:
        yield report.not_checked(f"no account {site.user}")
        return
    allowed = usable(site.config, Principal(name=site.user, groups=groups))
    if allowed:
        yield report.ok(f"{site.user} may use: {', '.join(allowed)}")
    else:
        yield report.problem(
            f"no profile is open to {site.user}",
            "profiles.*.users and .groups in nearfield.yaml say whom they are for;"
            f" {site.user} is in: {', '.join(sorted(groups))}",
        )
