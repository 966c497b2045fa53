"""Is there such an account, and may it have sessions?"""

from __future__ import annotations

import pwd
from collections.abc import Iterator

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.scheduler.launcher_guard import groups_of


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """The launcher's rules for accounts, asked here."""
    if site.user is None:
        return
    try:
        account = pwd.getpwnam(site.user)
    except KeyError:
        yield report.problem(
            f"there is no Unix account {site.user} on this host",
            f"getent passwd {site.user}; is sssd up, and is the name the one of the hub?",
        )
        return
    yield report.ok(f"{site.user} is uid {account.pw_uid}, home {account.pw_dir}")
    if not any(c.submitter != "direct" for c in site.slurm_clusters.values()):
        return
    rules, groups = site.config.launcher, groups_of(account)
    if account.pw_uid < rules.min_uid:
        yield report.problem(
            f"uid {account.pw_uid} is below launcher.min_uid ({rules.min_uid})",
            "system accounts have no sessions",
        )
    if rules.group is None:
        yield report.problem("launcher.group is not set: nobody may have sessions", "set it")
    elif rules.group not in groups:
        yield report.problem(
            f"{site.user} is not in the group {rules.group}, whose members may have sessions",
            f"gpasswd -a {site.user} {rules.group} (or in your directory service), then check"
            f" with: id {site.user}",
        )
    else:
        yield report.ok(f"{site.user} is in the group {rules.group}")
