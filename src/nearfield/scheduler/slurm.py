"""Slurm: one look at the queue for all users, everything else as the job's owner."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from nearfield.config import Cluster
from nearfield.errors import NearfieldError, SchedulerUnavailableError
from nearfield.scheduler._protocol import JobId, JobState, JobStatus, PathAccess
from nearfield.scheduler.commands import query_environment, run
from nearfield.scheduler.jobspec import JobSpec
from nearfield.scheduler.slurm_output import SQUEUE_FORMAT, is_job_number, parse_squeue
from nearfield.scheduler.submitters import Submitter

OWNERS_PER_LOOK = 32
"""Second looks cost one command as each owner: more than this many wait for the next look."""
JOBS_PER_COMMAND = 1000
"""Keeps the longest argument well below the kernel's 128 KiB."""

_UNASKED = JobStatus(state=JobState.UNKNOWN, reason="not asked yet")


class SlurmScheduler:
    """The Scheduler of one Slurm cluster."""

    def __init__(
        self,
        cluster: str,
        settings: Cluster,
        submitter: Submitter,
        *,
        query_seconds: float = 15,
        owners_per_look: int = OWNERS_PER_LOOK,
    ) -> None:
        self.cluster = cluster
        self._settings = settings
        self._submitter = submitter
        self._query_seconds = query_seconds
        self._owners_per_look = owners_per_look
        self._next_owner = 0

    async def submit(self, spec: JobSpec) -> JobId:
        number = await self._submitter.submit(spec)
        return JobId(cluster=self.cluster, user=spec.user, number=number)

    async def find(self, user: str, name: str) -> JobId | None:
        number = await self._submitter.find(user, name)
        return (number and JobId(cluster=self.cluster, user=user, number=number)) or None

    async def cancel(self, job: JobId) -> None:
        await self._submitter.cancel(job.user, job.number)

    async def log_tail(self, job: JobId, name: str, lines: int = 30) -> str:
        return await self._submitter.log_tail(job.user, name, lines)

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        return await self._submitter.access(user, paths)

    async def status(self, ids: Iterable[JobId]) -> dict[JobId, JobStatus]:
        """One squeue for all; what it does not list alive is asked again as its owner.

        A site may hide jobs of others (PrivateData), so a job that is missing from the hub's look
        may well run. And squeue knows no exit code.
        """
        asked = list(dict.fromkeys(ids))
        found = dict.fromkeys(asked, _UNASKED)
        numbers = [j.number for j in asked if j.cluster == self.cluster and is_job_number(j.number)]
        listed, complaint = await self._look(numbers)
        if listed is None:
            # Slurm does not answer the hub; asking once more for each owner would not help it.
            return {job: JobStatus(state=JobState.UNKNOWN, reason=complaint) for job in asked}
        again: dict[str, list[JobId]] = defaultdict(list)
        for job in asked:
            status = listed.get(job.number)
            if status is not None and job.cluster == self.cluster:
                found[job] = status
            if status is None or status.state.finished:
                again[job.user].append(job)
        for owner, answers in await self._second_look(again):
            for job in again[owner]:
                answer = answers.get(job.number)
                # The owner's look adds an exit code; it does not turn an end into a doubt.
                if answer is not None and not (
                    found[job].state.finished and not answer.state.finished
                ):
                    found[job] = answer
        return found

    async def _look(self, numbers: list[str]) -> tuple[dict[str, JobStatus] | None, str]:
        listed: dict[str, JobStatus] = {}
        for start in range(0, len(numbers), JOBS_PER_COMMAND):
            some = ",".join(numbers[start : start + JOBS_PER_COMMAND])
            try:
                done = await asyncio.to_thread(
                    run,
                    [
                        str(self._settings.bin / "squeue"),
                        "-h",
                        "-t",
                        "all",
                        "-j",
                        some,
                        "-o",
                        SQUEUE_FORMAT,
                    ],
                    env=query_environment(self._settings.conf),
                    timeout=self._query_seconds,
                )
            except SchedulerUnavailableError as error:
                return None, error.message
            # A single job that squeue does not know is an error to it, one among several is not.
            if done.code != 0 and not done.unknown_id:
                return None, f"squeue: {done.words}"
            listed |= parse_squeue(done.out)
        return listed, ""

    async def _second_look(
        self, again: dict[str, list[JobId]]
    ) -> list[tuple[str, dict[str, JobStatus]]]:
        owners = self._turn(sorted(again))
        return list(await asyncio.gather(*(self._ask_owner(o, again[o]) for o in owners)))

    def _turn(self, owners: list[str]) -> list[str]:
        """At most so many owners; who is left out now comes first the next time."""
        if len(owners) <= self._owners_per_look:
            return owners
        start = self._next_owner % len(owners)
        self._next_owner = start + self._owners_per_look
        return (owners[start:] + owners[:start])[: self._owners_per_look]

    async def _ask_owner(self, owner: str, jobs: list[JobId]) -> tuple[str, dict[str, JobStatus]]:
        numbers = [j.number for j in jobs if j.cluster == self.cluster and is_job_number(j.number)]
        try:
            return owner, await self._submitter.status(owner, numbers[:JOBS_PER_COMMAND])
        except NearfieldError as error:
            unknown = JobStatus(state=JobState.UNKNOWN, reason=error.message)
            return owner, dict.fromkeys(numbers, unknown)
