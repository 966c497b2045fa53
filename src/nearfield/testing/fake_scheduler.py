"""A Scheduler in memory, for tests of what stands on one.

Time passes only when :meth:`FakeScheduler.advance` is called. A job waits ``queue_seconds``, then
runs. Of commands it knows ``true``, ``false``, ``sh -c 'exit N'``, ``sleep N``, ``printf`` and
``printenv``, which is what the contract suite uses; a session runs until it is cancelled, or until
:meth:`FakeScheduler.finish` says how it ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from nearfield.errors import NearfieldError, SubmitError
from nearfield.scheduler import (
    Availability,
    CommandTask,
    JobId,
    JobSpec,
    JobState,
    JobStatus,
    NodeGroup,
    PathAccess,
    QueuedJob,
    Scheduler,
    StartRange,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ONE_NODE = Availability(
    groups=(NodeGroup(partition="main", nodes=1, nodes_idle=1, cores=8, cores_idle=8),),
    default_partition="main",
)


@dataclass
class FakeJob:
    """One job as the fake keeps it. Tests may look at it, and change ``log`` and ``host``."""

    id: JobId
    spec: JobSpec
    submitted: float
    host: str
    log: str = ""
    outcome: tuple[JobState, int | None] | None = None
    reason: str = ""


@dataclass
class FakeScheduler:
    """Set the fields to shape what happens; every call is in ``calls``."""

    cluster: str = "fake"
    queue_seconds: float = 1.0
    host: str = "node1"
    now: float = 0.0
    fails: dict[str, NearfieldError] = field(default_factory=dict)
    """Verb → the error that it raises; ``status`` answers UNKNOWN instead, as it must."""
    denied: dict[str, PathAccess] = field(default_factory=dict)
    """Path → answer of ``access``, where it is not YES."""
    has: Availability = field(default_factory=lambda: ONE_NODE)
    """What ``availability`` answers."""
    jobs: dict[JobId, FakeJob] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def finish(
        self,
        job: JobId,
        state: JobState = JobState.COMPLETED,
        code: int | None = 0,
        reason: str = "",
    ) -> None:
        """Say how a job ended."""
        self.jobs[job].outcome, self.jobs[job].reason = (state, code), reason

    def job(self, name: str) -> FakeJob:
        """The job of that name."""
        return next(j for j in self.jobs.values() if j.spec.name == name)

    # ------------------------------------------------------------------ the protocol

    async def submit(self, spec: JobSpec) -> JobId:
        self._called("submit")
        names = {j.spec.name for j in self.jobs.values()} | self.withdrawn
        if spec.name in names:
            raise SubmitError(f"a job named {spec.name} was submitted before")
        job = JobId(cluster=self.cluster, user=spec.user, number=str(len(self.jobs) + 1))
        self.jobs[job] = FakeJob(id=job, spec=spec, submitted=self.now, host=self.host)
        return job

    async def find(self, user: str, name: str) -> JobId | None:
        self._called("find")
        for job in self.jobs.values():
            if (job.id.user, job.spec.name) == (user, name):
                return None if self._look(job).state.finished else job.id
        return None

    async def withdraw(self, user: str, name: str) -> bool:
        self._called("withdraw")
        if any(j.spec.name == name for j in self.jobs.values()):
            return False
        self.withdrawn.add(name)
        return True

    async def find_all(
        self, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], JobId | None]:
        self._called("find_all")
        asked = set(wanted)
        found: dict[tuple[str, str], JobId | None] = dict.fromkeys(asked)
        for job in self.jobs.values():
            key = (job.id.user, job.spec.name)
            if key in asked and not self._look(job).state.finished:
                found[key] = job.id
        return found

    async def queue(self) -> tuple[QueuedJob, ...]:
        self._called("queue")
        waiting = [j for j in self.jobs.values() if self._look(j).state is JobState.PENDING]
        return tuple(
            QueuedJob(
                number=job.id.number,
                partitions=(job.spec.hardware.partition or "batch",),
                priority=1,
                start=EPOCH + timedelta(seconds=job.submitted + self.queue_seconds),
            )
            for job in waiting
        )

    async def status(self, ids: Iterable[JobId]) -> dict[JobId, JobStatus]:
        self.calls.append("status")
        if error := self.fails.get("status"):
            return {i: JobStatus(state=JobState.UNKNOWN, reason=error.message) for i in ids}
        return {i: self._status(i) for i in ids}

    async def cancel(self, job: JobId) -> None:
        self._called("cancel")
        found = self.jobs.get(job)
        if found is not None and not self._look(found).state.finished:
            self.finish(job, JobState.CANCELLED, None)

    async def log_tail(self, job: JobId, name: str, lines: int = 30) -> str:
        self._called("log_tail")
        found = self.jobs.get(job)
        if found is None or found.spec.name != name or lines <= 0:
            return ""
        self._look(found)
        return "\n".join(found.log.splitlines()[-lines:])

    async def image(self, job: JobId, name: str) -> dict[str, Any]:
        self._called("image")
        return {}

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        self._called("access")
        return {p: self.denied.get(p, PathAccess.YES) for p in paths}

    async def estimate(self, spec: JobSpec) -> StartRange:
        self._called("estimate")
        start = EPOCH + timedelta(seconds=self.now + self.queue_seconds)
        return StartRange(earliest=start, latest=start)

    async def availability(self) -> Availability:
        self._called("availability")
        return self.has

    # ------------------------------------------------------------------ behind it

    def _called(self, verb: str) -> None:
        self.calls.append(verb)
        if error := self.fails.get(verb):
            raise error

    def _status(self, job: JobId) -> JobStatus:
        if (found := self.jobs.get(job)) is None:
            return JobStatus(state=JobState.UNKNOWN, reason="no such job")
        return self._look(found)

    def _look(self, job: FakeJob) -> JobStatus:
        start = job.submitted + self.queue_seconds
        limit = start + job.spec.hardware.minutes * 60
        if job.outcome is None and self.now < start:
            return JobStatus(state=JobState.PENDING, reason="Priority", name=job.spec.name)
        if job.outcome is None and isinstance(job.spec.task, CommandTask):
            seconds, code, job.log = _run(job.spec.task)
            if self.now >= start + seconds:
                job.outcome = (JobState.FAILED if code else JobState.COMPLETED, code)
        if job.outcome is None and self.now >= limit:
            job.outcome = (JobState.TIMEOUT, None)
        state, code_or_none = job.outcome or (JobState.RUNNING, None)
        return JobStatus(
            state=state,
            reason=job.reason,
            host=job.host,
            exit_code=code_or_none,
            name=job.spec.name,
            started=EPOCH + timedelta(seconds=start),
            ends=EPOCH + timedelta(seconds=limit),
        )


def _run(task: CommandTask) -> tuple[float, int, str]:
    """How long it takes, its exit code and its output."""
    program, arguments = PurePosixPath(task.argv[0]).name, task.argv[1:]
    if program == "sleep":
        return float(arguments[0]), 0, ""
    if program == "false":
        return 0, 1, ""
    if program == "sh" and (found := re.fullmatch(r"exit (\d+)", arguments[-1])):
        return 0, int(found[1]), ""
    if program == "printf":
        return 0, 0, _printf(arguments)
    if program == "printenv":
        value = task.environment.get(arguments[0])
        return 0, int(value is None), "" if value is None else value.get_secret_value() + "\n"
    return 0, 0, ""


def _printf(arguments: Sequence[str]) -> str:
    pattern = arguments[0].replace("\\n", "\n")
    return "".join(pattern.replace("%s", value, 1) for value in arguments[1:])


_: type[Scheduler] = FakeScheduler
