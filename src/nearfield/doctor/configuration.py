"""Which file is used, and do hub and launcher read the same?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nearfield.config import Cluster
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import NearfieldError
from nearfield.scheduler.launcher_guard import root_owned_config


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """The file is valid, or the doctor would not be here."""
    yield report.ok(f"{site.source} is valid" if site.source else "built-in defaults (no file)")
    if site.source is not None and not _others_may_read(site.source):
        yield report.warning(
            f"{site.source} cannot be read by everybody",
            f"nothing in it is secret, and the launcher reads it as each user:"
            f" chmod 644 {site.source}",
        )
    launched = [c for c in site.slurm_clusters.values() if c.submitter != "direct"]
    if launched and site.config.launcher.hub_urls is None:
        yield report.warning(
            "launcher.hub_urls is not set: a stolen hub account could lead sessions to another hub",
            "set it to the addresses that sessions report to: NEARFIELD_HUB and the public one",
        )
    for name, cluster in site.slurm_clusters.items():
        if cluster.launcher is not None and cluster.submitter == "sudo":
            yield _launchers_own(site, report, name, cluster)


def _others_may_read(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o004)


def places_of(launcher: Path) -> tuple[Path, Path]:
    """Where that launcher looks for its configuration: below its own prefix, then in /etc."""
    own = launcher.parent.parent / "etc/nearfield/nearfield.yaml"
    return own, Path("/etc/nearfield/nearfield.yaml")


def _launchers_own(site: Site, report: Reporter, name: str, cluster: Cluster) -> Finding:
    places = places_of(Path(str(cluster.launcher)))
    try:
        theirs = root_owned_config(places)
    except NearfieldError as error:
        return report.problem(f"the launcher of {name}: {error.message}", error.hint or "")
    if theirs != site.config:
        return report.problem(
            f"the launcher of {name} reads another configuration than {site.source}",
            f"it takes the first of {places[0]} and {places[1]}, and refuses jobs that differ:"
            " make them the same file",
        )
    return report.ok(f"the launcher of {name} reads the same, and only root may write it")
