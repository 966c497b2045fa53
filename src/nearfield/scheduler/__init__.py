"""Jobs on a cluster or on this machine.

``open_scheduler`` gives the driver of a configured cluster. The rest of the package is laid out
along a job's way: :mod:`jobspec` → :mod:`sessions` → (:mod:`launcher`, :mod:`policy`) →
:mod:`staging` → :mod:`render` → :mod:`node_program` on the node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearfield.config import Hardware
from nearfield.errors import UnknownNameError
from nearfield.scheduler._protocol import (
    JobId,
    JobState,
    JobStatus,
    PathAccess,
    QueuedJob,
    Scheduler,
)
from nearfield.scheduler.availability import Availability, NodeGroup, StartRange
from nearfield.scheduler.jobspec import (
    CommandTask,
    DatasetLink,
    JobSpec,
    Mount,
    SessionTask,
)

if TYPE_CHECKING:
    from nearfield.config import Config

__all__ = [
    "Availability",
    "CommandTask",
    "DatasetLink",
    "Hardware",
    "JobId",
    "JobSpec",
    "JobState",
    "JobStatus",
    "Mount",
    "NodeGroup",
    "PathAccess",
    "QueuedJob",
    "Scheduler",
    "SessionTask",
    "StartRange",
    "open_scheduler",
]


def open_scheduler(config: Config, cluster_name: str) -> Scheduler:
    """The driver of a cluster of ``nearfield.yaml``.

    Raises:
        UnknownNameError: no such cluster.
    """
    # Late: the launcher imports this package too, and needs neither driver nor asyncio.
    cluster = config.clusters.get(cluster_name)
    if cluster is None:
        raise UnknownNameError("cluster", cluster_name, config.clusters)
    if cluster.scheduler == "local":
        from nearfield.scheduler.local import LocalScheduler

        return LocalScheduler(cluster_name, state=cluster.state)
    from nearfield.scheduler.slurm import SlurmScheduler
    from nearfield.scheduler.submitters import open_submitter

    submitter = open_submitter(cluster_name, cluster)
    # Without Slurm on this host, what reads the queue takes the submitter's way too.
    queries = getattr(submitter, "queries", None)
    return SlurmScheduler(cluster_name, cluster, submitter, queries=queries)
