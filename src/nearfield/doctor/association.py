"""Does Slurm let the account submit?"""

from __future__ import annotations

from collections.abc import Iterator

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import SchedulerError

_FORMAT = "format=account,partition,qos"


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """Only where the site enforces associations does a missing one stop anybody."""
    if site.user is None:
        return
    for name in site.slurm_clusters:
        try:
            conf = site.slurm_config(name)
        except SchedulerError as error:
            yield report.not_checked(f"{name}: {error.message}")
            continue
        yield _one(site, report, name, conf)


def _one(site: Site, report: Reporter, name: str, conf: dict[str, str]) -> Finding:
    real = conf.get("ClusterName", name)
    where = (f"user={site.user}", f"cluster={real}")
    try:
        told = site.slurm(name, "sacctmgr", "-nP", "show", "assoc", *where, _FORMAT)
    except SchedulerError as error:
        return report.not_checked(f"{name}: {error.message}")
    if told.code != 0:
        return report.not_checked(f"{name}: sacctmgr: {told.words}")
    accounts = sorted({line.split("|")[0] for line in told.out.split() if "|" in line})
    if accounts:
        return report.ok(f"{name}: {site.user} may submit for {', '.join(accounts)}")
    if "associations" not in conf.get("AccountingStorageEnforce", ""):
        return report.ok(f"{name}: {site.user} has no association, and Slurm does not ask for one")
    if set(conf.get("PrivateData", "").split(",")) & {"accounts", "usage", "users", "all"}:
        return report.not_checked(
            f"{name}: PrivateData hides associations from {site.me}",
            f"ask as {site.user} or as a Slurm operator",
        )
    return report.problem(
        f"{name}: {site.user} has no association: Slurm refuses the jobs",
        f"sacctmgr add user {site.user} account=…",
    )
