"""What every scheduler driver does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from nearfield.scheduler.availability import Availability, StartRange
from nearfield.scheduler.jobspec import JobSpec


class JobState(StrEnum):
    """Slurm's states folded to what a spawner or an operator must tell apart.

    UNKNOWN means that nobody could say; it never counts as an end.
    """

    PENDING = "pending"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETING = "completing"
    """The body is over, its resources are being freed."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_FAIL = "node_fail"
    PREEMPTED = "preempted"
    UNKNOWN = "unknown"

    @property
    def finished(self) -> bool:
        return self in _FINISHED


_FINISHED = frozenset(
    {
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.TIMEOUT,
        JobState.OUT_OF_MEMORY,
        JobState.NODE_FAIL,
        JobState.PREEMPTED,
    }
)


class JobId(BaseModel):
    """Where a job is and whose it is. ``str()`` of it is stored and read back by :meth:`parse`."""

    model_config = ConfigDict(frozen=True)

    cluster: str
    user: str
    number: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.user}/{self.number}"

    @classmethod
    def parse(cls, text: str) -> JobId:
        cluster, user, number = text.split("/")
        return cls(cluster=cluster, user=user, number=number)


class JobStatus(BaseModel):
    """One look at one job."""

    model_config = ConfigDict(frozen=True)

    state: JobState
    reason: str = ""
    """The scheduler's own word (Priority, Resources, NodeFail, …)."""
    host: str | None = None
    """First node of the allocation, once there is one."""
    exit_code: int | None = None
    name: str = ""
    started: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A waiting job of anybody: what its place in the queue follows from, and nothing else.

    No pydantic model: there may be fifty thousand of them.
    """

    number: str
    partitions: tuple[str, ...]
    priority: int
    start: datetime | None = None
    """When the scheduler means to start it."""


class PathAccess(StrEnum):
    """A rights check as the user: yes, no, or not to be told from this machine."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@runtime_checkable
class Scheduler(Protocol):
    """Starts, watches and ends jobs of any user that its submitter may act for."""

    cluster: str

    async def submit(self, spec: JobSpec) -> JobId:
        """Queue a job. Raises SubmitError, SpecRefusedError or SchedulerUnavailableError."""
        ...

    async def find(self, user: str, name: str) -> JobId | None:
        """The user's live job of that name: how a submit whose answer was lost is found again."""
        ...

    async def withdraw(self, user: str, name: str) -> bool:
        """See to it that a submit under this name, if one is still under way, brings no job.

        True: no job has come or will come of it. False: one may have been queued, ask `find`.
        """
        ...

    async def find_all(
        self, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], JobId | None]:
        """The same for many, by (user, name), at the cost of one.

        Who is missing from the answer could not be told of. Raises SchedulerUnavailableError if
        that holds for all.
        """
        ...

    async def queue(self) -> tuple[QueuedJob, ...]:
        """The waiting jobs of everybody, as far as this account may see them.

        Raises SchedulerUnavailableError.
        """
        ...

    async def status(self, ids: Iterable[JobId]) -> dict[JobId, JobStatus]:
        """The state of each job. One that nobody can speak for is UNKNOWN; that never raises."""
        ...

    async def cancel(self, job: JobId) -> None:
        """Ask a job to end (TERM, then KILL). No error if it is over already."""
        ...

    async def log_tail(self, job: JobId, name: str, lines: int = 30) -> str:
        """The last lines of a job's output, read as its owner; empty if there are none."""
        ...

    async def image(self, job: JobId, name: str) -> dict[str, Any]:
        """What the job's node has found out about its image: path, digest, verdict, signers,
        warnings. Empty before it has; it is the user's own file, to be shown and not relied on."""
        ...

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        """May ``user`` read these files or folders? Asked as the user, bounded in time."""
        ...

    async def estimate(self, spec: JobSpec) -> StartRange:
        """When such a job would start if it were submitted now; nothing is submitted.

        Raises SubmitError (it would be refused, in the scheduler's words), SpecRefusedError or
        SchedulerUnavailableError.
        """
        ...

    async def availability(self) -> Availability:
        """What the cluster has and what of it is free. Raises SchedulerUnavailableError."""
        ...
