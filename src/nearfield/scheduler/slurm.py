"""Slurm: one look at the queue for all users, everything else as the job's owner."""

from __future__ import annotations

import asyncio
import os
import pwd
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from nearfield.config import Cluster
from nearfield.errors import NearfieldError, SchedulerUnavailableError
from nearfield.scheduler._protocol import JobId, JobState, JobStatus, PathAccess, QueuedJob
from nearfield.scheduler.availability import Availability, StartRange
from nearfield.scheduler.commands import Result
from nearfield.scheduler.jobspec import JobSpec
from nearfield.scheduler.queries import LocalQueries, Queries
from nearfield.scheduler.slurm_forecast import SINFO, WAITING, parse_availability
from nearfield.scheduler.slurm_output import (
    NAMED_FORMAT,
    OWNED_FORMAT,
    QUEUE_FORMAT,
    is_job_number,
    parse_named,
    parse_owned,
    parse_queue,
)
from nearfield.scheduler.slurm_seek import AsOwners
from nearfield.scheduler.submitters import Submitter

OWNERS_PER_LOOK = 32
"""Second looks cost one command as each owner: more than this many at once wait for a next look."""
QUICK_SECONDS = 1.0
"""So long a look for all waits for the looks as owners, so that an exit code usually comes with the
end. A launcher runs as its user, who may stop it: its answer is for the look that it is ready for.
"""
ANSWER_SECONDS = 30.0
"""So long an owner's word about a running job is repeated before the owner is asked again."""
OWNER_SECONDS = 3.0
"""No owner is asked more often than this, whatever is in doubt."""
ENDS_SECONDS = 600.0
JOBS_PER_COMMAND = 8000
"""Keeps the longest argument below the kernel's 128 KiB. One squeue is one RPC, whatever it
asks."""
JOBS_PER_OWNER = 1000
"""The launcher takes no more in one request."""
NAMES_PER_COMMAND = 3000

_SHORT_LIVED = frozenset({JobState.PENDING, JobState.COMPLETING, JobState.UNKNOWN})
_NOT_THEIRS = JobStatus(state=JobState.UNKNOWN, reason="the job is of another account")
_UNASKED = JobStatus(state=JobState.UNKNOWN, reason="not asked yet")


class SlurmScheduler:
    """The Scheduler of one Slurm cluster."""

    def __init__(
        self,
        cluster: str,
        settings: Cluster,
        submitter: Submitter,
        *,
        queries: Queries | None = None,
        query_seconds: float = 15,
        owners_per_look: int = OWNERS_PER_LOOK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.queries = queries or LocalQueries(settings)
        self._submitter = submitter
        self._query_seconds = query_seconds
        self._owners_per_look = owners_per_look
        self._clock = clock
        self.squeue_seconds = 0.0
        """How long the last squeue for all took: what the monitor's rest is measured by. The looks
        as owners are few and bounded, and go through sudo, which costs Slurm nothing."""
        self._me = pwd.getpwuid(os.geteuid()).pw_name
        # Of second looks only: what each owner said and when, when each was asked, for what jobs
        # that had to wait, and whose end was asked for.
        self._told: dict[JobId, tuple[float, JobStatus]] = {}
        self._asked_at: dict[str, float] = {}
        self._waiting: dict[str, set[JobId]] = defaultdict(set)
        self._ends: dict[JobId, float] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}  # under way, one for an owner
        self._owners = AsOwners(self.find, at_once=owners_per_look, clock=clock)
        self._sees_others = False
        """Has the hub's own look shown somebody else's job? Then this site hides none."""

    async def submit(self, spec: JobSpec) -> JobId:
        number = await self._submitter.submit(spec)
        return JobId(cluster=self.cluster, user=spec.user, number=number)

    async def find(self, user: str, name: str) -> JobId | None:
        number = await self._submitter.find(user, name)
        return (number and JobId(cluster=self.cluster, user=user, number=number)) or None

    async def withdraw(self, user: str, name: str) -> bool:
        return await self._submitter.withdraw(user, name)

    async def cancel(self, job: JobId) -> None:
        await self._submitter.cancel(job.user, job.number)

    async def log_tail(self, job: JobId, name: str, lines: int = 30) -> str:
        return await self._submitter.log_tail(job.user, name, lines)

    async def image(self, job: JobId, name: str) -> dict[str, Any]:
        return await self._submitter.image(job.user, name)

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        return await self._submitter.access(user, paths)

    async def estimate(self, spec: JobSpec) -> StartRange:
        """Slurm's answer for now; those who wait already may have to come first."""
        return StartRange(earliest=await self._submitter.estimate(spec))

    async def availability(self) -> Availability:
        """One sinfo and one squeue, as the account that asks."""
        nodes = await self._told_by("sinfo", *SINFO)
        return parse_availability(nodes, await self._told_by("squeue", *WAITING))

    async def _told_by(self, command: str, *arguments: str) -> str:
        done = await self.queries.ask(command, *arguments, seconds=self._query_seconds)
        if done.code != 0:
            raise SchedulerUnavailableError(f"{command}: {done.words}")
        return done.out

    async def status(self, ids: Iterable[JobId]) -> dict[JobId, JobStatus]:
        """One squeue for all; what it does not list alive is asked again as its owner.

        A site may hide jobs of others (PrivateData), so a job that is missing from the hub's look
        may well run. And squeue knows no exit code. What an owner has said is good for
        ANSWER_SECONDS while the job runs.
        """
        asked = list(dict.fromkeys(ids))
        found = dict.fromkeys(asked, _UNASKED)
        numbers = [j.number for j in asked if j.cluster == self.cluster and is_job_number(j.number)]
        began = self._clock()
        listed, complaint = await self._look(numbers)
        self.squeue_seconds = self._clock() - began
        if listed is None:
            # Slurm does not answer the hub; asking once more for each owner would not help it.
            return {job: JobStatus(state=JobState.UNKNOWN, reason=complaint) for job in asked}
        again: dict[str, list[JobId]] = defaultdict(list)
        self._forget()
        for job in asked:
            owner, status = listed.get(job.number, (job.user, None))
            if owner != job.user:
                # The number came from a launcher, whose process is its user's.
                found[job] = _NOT_THEIRS
                continue
            if status is not None and job.cluster == self.cluster:
                found[job] = status
                self._sees_others = self._sees_others or job.user != self._me
            if status is None or status.state.finished:
                again[job.user].append(job)
            else:
                self._told.pop(job, None)  # when it leaves the list, that is news
        ended = {job for job, status in found.items() if status.state.finished}
        await self._second_look(again, ended)
        for job in (job for jobs in again.values() for job in jobs):
            answer = self._last_told(job)
            # The owner's look adds an exit code; it does not turn an end into a doubt.
            if answer is not None and not (job in ended and not answer.state.finished):
                found[job] = answer
        return found

    async def _look(
        self, numbers: list[str]
    ) -> tuple[dict[str, tuple[str, JobStatus]] | None, str]:
        listed: dict[str, tuple[str, JobStatus]] = {}
        for start in range(0, len(numbers), JOBS_PER_COMMAND):
            some = ",".join(numbers[start : start + JOBS_PER_COMMAND])
            try:
                done = await self._squeue("-t", "all", "-j", some, "-o", OWNED_FORMAT)
            except SchedulerUnavailableError as error:
                return None, error.message
            # A single job that squeue does not know is an error to it, one among several is not.
            if done.code != 0 and not done.unknown_id:
                return None, f"squeue: {done.words}"
            listed |= parse_owned(done.out)
        return listed, ""

    async def _squeue(self, *args: str) -> Result:
        return await self.queries.ask("squeue", "-h", *args, seconds=self._query_seconds)

    async def queue(self) -> tuple[QueuedJob, ...]:
        done = await self._squeue("-t", "PENDING", "-o", QUEUE_FORMAT)
        if done.code != 0:
            raise SchedulerUnavailableError(f"squeue: {done.words}")
        # Thousands of lines on a large cluster: the hub goes on meanwhile.
        return await asyncio.to_thread(parse_queue, done.out)

    async def find_all(
        self, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], JobId | None]:
        """One squeue for all names; who is not listed is asked again as its owner, where the site
        may hide jobs of others."""
        asked = list(dict.fromkeys(wanted))
        numbers: dict[tuple[str, str], str] = {}
        for start in range(0, len(asked), NAMES_PER_COMMAND):
            names = {name for _, name in asked[start : start + NAMES_PER_COMMAND]}
            done = await self._squeue("-n", ",".join(sorted(names)), "-o", NAMED_FORMAT)
            if done.code != 0:
                raise SchedulerUnavailableError(f"squeue: {done.words}")
            numbers |= parse_named(done.out)
        found: dict[tuple[str, str], JobId | None] = {}
        for user, name in asked:
            if number := numbers.get((user, name)):
                found[user, name] = JobId(cluster=self.cluster, user=user, number=number)
        absent = [key for key in asked if key not in found]
        if self._sees_others:
            return found | dict.fromkeys(absent)
        return found | await self._owners.find_all(absent)

    async def _second_look(self, again: dict[str, list[JobId]], ended: set[JobId]) -> None:
        due = [owner for owner, jobs in again.items() if self._due(owner, jobs, ended)]
        for owner, jobs in again.items():
            if unsure := {job for job in jobs if not self._settled(job)}:
                self._waiting[owner] |= unsure
        # Who was asked longest ago comes first; the others take the next look.
        due.sort(key=lambda owner: (self._asked_at.get(owner, float("-inf")), owner))
        now, begun = self._clock(), []
        for owner in due[: max(0, self._owners_per_look - len(self._looks))]:
            jobs = list(dict.fromkeys([*again[owner], *self._waiting.pop(owner, ())]))
            self._asked_at[owner] = now
            self._ends.update(dict.fromkeys(ended.intersection(jobs), now))
            look = asyncio.create_task(self._ask_owner(owner, jobs), name=owner)
            look.add_done_callback(lambda done: self._looks.pop(done.get_name(), None))
            self._looks[owner] = look
            begun.append(look)
        if begun:
            await asyncio.wait(begun, timeout=QUICK_SECONDS)

    async def settled(self) -> None:
        """Wait for the looks as owners that are still under way."""
        if self._looks:
            await asyncio.wait(self._looks.values())
        await self._owners.settled()

    def _due(self, owner: str, jobs: list[JobId], ended: set[JobId]) -> bool:
        """Is it worth a command as this owner?"""
        if owner in self._looks:
            return False
        if any(job in ended and job not in self._ends for job in jobs):
            return True  # its exit code is asked for at once, and once
        asked = self._asked_at.get(owner)
        if asked is not None and self._clock() - asked < OWNER_SECONDS:
            return False
        return any(not self._settled(job) for job in jobs)

    def _settled(self, job: JobId) -> bool:
        """The owner's answer will do. A job that waits, or is about to end, changes soon."""
        answer = self._last_told(job)
        return answer is not None and answer.state not in _SHORT_LIVED

    def _last_told(self, job: JobId) -> JobStatus | None:
        at, answer = self._told.get(job, (0.0, None))
        return answer if answer is not None and self._clock() - at < ANSWER_SECONDS else None

    def _forget(self) -> None:
        """What is too old to be of use. Jobs come and go for as long as the hub lives."""
        now = self._clock()
        old = now - ANSWER_SECONDS
        self._told = {job: told for job, told in self._told.items() if told[0] > old}
        self._asked_at = {o: at for o, at in self._asked_at.items() if at > old}
        self._ends = {job: at for job, at in self._ends.items() if at > now - ENDS_SECONDS}

    async def _ask_owner(self, owner: str, jobs: list[JobId]) -> None:
        asked = [j for j in jobs if j.cluster == self.cluster and is_job_number(j.number)]
        asked = asked[:JOBS_PER_OWNER]
        try:
            answers = await self._submitter.status(owner, [job.number for job in asked])
        except Exception as error:  # whatever one owner answers, the others get their look
            why = error.message if isinstance(error, NearfieldError) else type(error).__name__
            unknown = JobStatus(state=JobState.UNKNOWN, reason=why)
            answers = {job.number: unknown for job in asked}
        now = self._clock()
        for job in asked:
            if (answer := answers.get(job.number)) is not None:
                if answer.state is JobState.RUNNING:
                    self._sees_others = False  # it runs, and our own look did not show it
                self._told[job] = (now, answer)
            else:
                self._told.pop(job, None)
