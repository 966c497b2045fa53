"""Does the site hide other people's jobs from the hub?"""

from __future__ import annotations

from collections.abc import Iterator

from nearfield.config import Cluster
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import SchedulerError

_SEES_ALL = ("Operator", "Administrator")


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """One squeue tells of all sessions, unless PrivateData keeps them from the hub's account."""
    for name, cluster in site.slurm_clusters.items():
        try:
            private = site.slurm_config(name).get("PrivateData", "none")
        except SchedulerError as error:
            yield report.not_checked(f"{name}: {error.message}")
            continue
        if "jobs" not in private.split(",") and private != "all":
            yield report.ok(f"{name}: the queue can be seen whole (PrivateData={private})")
        else:
            yield _hidden(site, report, name, cluster)


def _hidden(site: Site, report: Reporter, name: str, cluster: Cluster) -> Finding:
    account = site.hub_account if cluster.ssh is None else cluster.ssh.user
    if account is None:
        return report.not_checked(
            f"{name}: PrivateData hides jobs; from the hub too?", "name its account with --hub"
        )
    try:
        told = site.slurm(name, "sacctmgr", "-nP", "show", "user", account, "format=adminlevel")
    except SchedulerError as error:
        return report.not_checked(f"{name}: {error.message}")
    if any(level in told.out for level in _SEES_ALL):
        return report.ok(f"{name}: PrivateData hides jobs, but {account} is {told.out.strip()}")
    return report.warning(
        f"{name}: PrivateData hides other people's jobs from {account}: every owner is asked"
        " through the launcher, which is slower and fills sudo's log",
        f"sacctmgr modify user {account} set adminlevel=Operator (after: sacctmgr add user"
        f" {account} account=…)",
    )
