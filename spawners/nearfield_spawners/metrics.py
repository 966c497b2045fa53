"""What the hub's ``/metrics`` tells of sessions. Labels come from nearfield.yaml and from fixed
lists: no name of a user, a job or a dataset is ever one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from prometheus_client import Counter, Gauge, Histogram

from nearfield_spawners.stages import StageName, Stages

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200)

SPAWNS = Counter("nearfield_spawns", "Starts by profile and how they ended", ["profile", "outcome"])
ENDINGS = Counter(
    "nearfield_session_endings", "Ends of sessions that ran, other than by a stop", ["kind"]
)
STAGE_SECONDS = Histogram(
    "nearfield_stage_seconds", "How long a stage of a start lasted", ["stage"], buckets=_SECONDS
)
QUEUE_SECONDS = Histogram(
    "nearfield_queue_wait_seconds", "From submitted to running", ["cluster"], buckets=_SECONDS
)
LOOKS = Counter("nearfield_queue_looks", "Looks at the queue", ["cluster", "outcome"])
LOOK_SECONDS = Histogram(
    "nearfield_queue_look_seconds", "How long a look took", ["cluster"], buckets=_SECONDS[:10]
)
MONITOR_AGE = Gauge(
    "nearfield_monitor_age_seconds",
    "Age of what is known of the queue; 0 while nothing is watched",
    ["cluster"],
)
WATCHED = Gauge("nearfield_watched_jobs", "Jobs that the monitor looks at", ["cluster"])


def started(profile: str, cluster: str, stages: Stages) -> None:
    """A start that became a server."""
    SPAWNS.labels(profile, "started").inc()
    first: dict[StageName, float] = {}
    for stage in stages:
        first.setdefault(stage.name, stage.at)
    times = sorted(first.items(), key=lambda item: item[1])
    for (name, began), (_, ended) in pairwise(times):
        STAGE_SECONDS.labels(name.value).observe(max(0.0, ended - began))
    submitted = first.get(StageName.SUBMITTED)
    running = min((at for name, at in times if name in _RUNNING), default=None)
    if submitted is not None and running is not None:
        QUEUE_SECONDS.labels(cluster).observe(max(0.0, running - submitted))


_IN_ORDER = tuple(StageName)
_RUNNING = frozenset(_IN_ORDER[_IN_ORDER.index(StageName.ALLOCATED) :])
"""Only these need a node: the hub verifies an image before it submits."""


def failed(profile: str, reason: str) -> None:
    """A start that was refused or ended badly."""
    SPAWNS.labels(profile or "-", reason).inc()


def ended(kind: str) -> None:
    """A session that ran is over, and nobody had stopped it."""
    ENDINGS.labels(kind).inc()


def looked(cluster: str, answered: bool, seconds: float) -> None:
    """One look at the queue."""
    LOOKS.labels(cluster, "answered" if answered else "failed").inc()
    LOOK_SECONDS.labels(cluster).observe(seconds)


def watch(cluster: str, age: Callable[[], float], jobs: Callable[[], float]) -> None:
    """Have a monitor's age and size read whenever somebody asks."""
    MONITOR_AGE.labels(cluster).set_function(age)
    WATCHED.labels(cluster).set_function(jobs)
