"""Can the hub reach what sessions listen on?"""

from __future__ import annotations

from collections.abc import Iterator

from nearfield.config import Cluster
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import SchedulerError


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """Nodes must have an address here. Whether a firewall lets through, only a session shows."""
    for name, cluster in site.slurm_clusters.items():
        yield _one(site, report, name, cluster)


def _one(site: Site, report: Reporter, name: str, cluster: Cluster) -> Finding:
    try:
        told = site.slurm(name, "sinfo", "-hN", "-o", "%N")
    except SchedulerError as error:
        return report.not_checked(f"{name}: {error.message}")
    nodes = sorted(set(told.out.split()))
    if told.code != 0 or not nodes:
        return report.not_checked(f"{name}: {told.words if told.code else 'no nodes'}")
    nameless = []
    # A cluster's names follow one rule: a few are enough, and each may take seconds to fail.
    for node in nodes[:3]:
        address = cluster.node_address.replace("{node}", node)
        try:
            site.resolve(address)
        except OSError:
            nameless.append(address)
    if nameless:
        return report.problem(
            f"{name}: no address for {', '.join(nameless)} on this host",
            "the proxy must reach the nodes by these names: DNS, /etc/hosts, or node_address",
        )
    return report.ok(f"{name}: nodes have addresses here ({', '.join(nodes[:3])}, …)")
