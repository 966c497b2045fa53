"""Can the hub reach what sessions listen on?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nearfield.config import Cluster
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import SchedulerError

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """Nodes must have an address here. Whether a firewall lets through, only a session shows."""
    for name, cluster in site.slurm_clusters.items():
        yield _one(site, report, name, cluster)
        yield _range(report, name, cluster)


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


def _range(report: Reporter, name: str, cluster: Cluster) -> Finding:
    """What a firewall must let through."""
    if cluster.ports is None:
        return report.ok(f"{name}: sessions listen on any port that is free (clusters.*.ports)")
    least, most = cluster.ports.least, cluster.ports.most
    words = f"{name}: sessions listen on {least}-{most}, so {most - least + 1} at most on a node"
    try:
        low, high = (int(n) for n in _EPHEMERAL.read_text().split())
    except (OSError, ValueError):
        return report.ok(words)
    if least <= high and low <= most:
        return report.warning(
            f"{words}; this host gives ports of {low}-{high} to outgoing connections, too",
            "choose a range outside of it, or set net.ipv4.ip_local_reserved_ports on the nodes",
        )
    return report.ok(words)
