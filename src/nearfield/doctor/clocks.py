"""Do the clocks agree? munge refuses what is five minutes off, and time limits are told wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import NearfieldError, SchedulerError

TOLERATED = 5.0
"""The controller tells whole seconds, and is asked over the network."""


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """Against each controller, and against the file server of the user's home."""
    for name in site.slurm_clusters:
        before = time.time()
        try:
            told = site.slurm_config(name).get("as_of", "")
            there = datetime.strptime(told, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
        except SchedulerError as error:
            yield report.not_checked(f"slurmctld of {name}: {error.message}")
        except ValueError:
            yield report.not_checked(f"slurmctld of {name} does not tell its time")
        else:
            yield _judge(report, f"slurmctld of {name}", there - before)
    if site.user is not None:
        try:
            ahead = site.examination().home.clock_ahead
        except NearfieldError:
            return
        if ahead is not None:
            yield _judge(report, f"the file server of {site.user}'s home", ahead)


def _judge(report: Reporter, what: str, ahead: float) -> Finding:
    if abs(ahead) <= TOLERATED:
        return report.ok(f"{what} and this host agree")
    word = "ahead of" if ahead > 0 else "behind"
    return report.problem(f"{what} is {abs(ahead):.0f} s {word} this host", "check chrony or ntpd")
