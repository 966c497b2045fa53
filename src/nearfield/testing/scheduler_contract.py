"""What every scheduler driver must do. Subclass it, give it a scheduler, and collect it.

::

    class TestMine(SchedulerContract):
        @pytest.fixture
        def scheduler(self): return MyScheduler(...)
        user = "alice"

The commands are those of any POSIX system, and those that the fake knows.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from nearfield.errors import SubmitError
from nearfield.scheduler import (
    CommandTask,
    Hardware,
    JobId,
    JobSpec,
    JobState,
    JobStatus,
    PathAccess,
    Scheduler,
)

WEIRD = (
    "a b",
    "line one\nline two",
    "'single' \"double\" `tick`",
    "$(id) ${HOME} $HOME \\",
    "#SBATCH --partition=other",
    "-n",
    "*",
    "ümläut ☃",
    "NEARFIELD_NODE_PROGRAM",
    "",
)
"""Values that a shell, a batch script or printf could take for something else."""


class SchedulerContract:
    """The suite. ``scheduler`` is yours; the rest may be overridden where a system needs it."""

    user = "alice"
    patience = 400
    """How many pauses a job may take to get where it must."""

    @pytest.fixture
    def scheduler(self) -> Scheduler:
        raise NotImplementedError("override the fixture 'scheduler'")

    @pytest.fixture
    def readable(self) -> str:
        """A file that the user may read."""
        return "/etc/passwd"

    @pytest.fixture
    def unreadable(self) -> str:
        """A file that exists and that the user may not read; each driver's suite names one."""
        raise AssertionError("name a file that the user may not read")

    async def pause(self, scheduler: Scheduler) -> None:
        """Let a moment pass."""
        await asyncio.sleep(0.05)

    def hardware(self) -> Hardware:
        return Hardware(cores=1, memory_mb=100, minutes=5)

    def command(
        self, scheduler: Scheduler, *argv: str, environment: Mapping[str, str] | None = None
    ) -> JobSpec:
        return JobSpec(
            name=f"nearfield-{secrets.token_hex(8)}",
            cluster=scheduler.cluster,
            user=self.user,
            profile="contract",
            hardware=self.hardware(),
            task=CommandTask(
                argv=argv, environment={k: SecretStr(v) for k, v in (environment or {}).items()}
            ),
        )

    async def until(
        self, scheduler: Scheduler, job: JobId, *wanted: JobState, finished: bool = False
    ) -> JobStatus:
        """Wait for one of these states, or for any end."""
        status = JobStatus(state=JobState.UNKNOWN)
        for _ in range(self.patience):
            status = (await scheduler.status([job]))[job]
            if status.state in wanted or (finished and status.state.finished):
                return status
            assert not status.state.finished, f"{job} ended as {status}, wanted {wanted}"
            await self.pause(scheduler)
        raise AssertionError(f"{job} is {status}, wanted {wanted or 'an end'}")

    async def output(self, scheduler: Scheduler, spec: JobSpec) -> str:
        job = await scheduler.submit(spec)
        status = await self.until(scheduler, job, finished=True)
        assert status.state is JobState.COMPLETED, await scheduler.log_tail(job, spec.name)
        return await scheduler.log_tail(job, spec.name, 1000)

    # ------------------------------------------------------------------ the life of a job

    async def test_it_is_a_scheduler(self, scheduler: Scheduler) -> None:
        assert isinstance(scheduler, Scheduler)

    async def test_a_job_runs_and_completes(self, scheduler: Scheduler) -> None:
        job = await scheduler.submit(self.command(scheduler, "/bin/sleep", "1"))
        assert job.user == self.user
        assert job.cluster == scheduler.cluster
        running = await self.until(scheduler, job, JobState.RUNNING)
        assert running.host
        assert running.exit_code is None
        ended = await self.until(
            scheduler,
            job,
            JobState.COMPLETED,
        )
        assert ended.exit_code == 0

    async def test_an_exit_code_comes_back(self, scheduler: Scheduler) -> None:
        job = await scheduler.submit(self.command(scheduler, "/bin/sh", "-c", "exit 3"))
        ended = await self.until(scheduler, job, finished=True)
        assert (ended.state, ended.exit_code) == (JobState.FAILED, 3)

    async def test_cancel_ends_a_running_job(self, scheduler: Scheduler) -> None:
        job = await scheduler.submit(self.command(scheduler, "/bin/sleep", "100"))
        await self.until(scheduler, job, JobState.RUNNING)
        await scheduler.cancel(job)
        ended = await self.until(scheduler, job, finished=True)
        assert ended.state is JobState.CANCELLED

    async def test_cancel_of_a_job_that_is_over_is_no_error(self, scheduler: Scheduler) -> None:
        job = await scheduler.submit(self.command(scheduler, "/bin/true"))
        await self.until(scheduler, job, finished=True)
        await scheduler.cancel(job)
        assert (await scheduler.status([job]))[job].state is JobState.COMPLETED

    async def test_two_jobs_at_once_do_not_mix(self, scheduler: Scheduler) -> None:
        good = self.command(scheduler, "/usr/bin/printf", "%s\\n", "one")
        bad = self.command(scheduler, "/bin/false")
        first, second = await asyncio.gather(scheduler.submit(good), scheduler.submit(bad))
        assert first != second
        assert (await self.until(scheduler, first, finished=True)).state is JobState.COMPLETED
        assert (await self.until(scheduler, second, finished=True)).state is JobState.FAILED
        both = await scheduler.status([first, second])
        assert [both[j].state for j in (first, second)] == [JobState.COMPLETED, JobState.FAILED]
        assert await scheduler.log_tail(second, bad.name) == ""

    # ------------------------------------------------------------------ finding and not finding

    async def test_a_live_job_is_found_by_its_name(self, scheduler: Scheduler) -> None:
        spec = self.command(scheduler, "/bin/sleep", "100")
        job = await scheduler.submit(spec)
        assert await scheduler.find(self.user, spec.name) == job
        assert await scheduler.find(self.user, "nearfield-0000000000000000") is None
        await scheduler.cancel(job)
        await self.until(scheduler, job, finished=True)
        assert await scheduler.find(self.user, spec.name) is None

    async def test_a_withdrawn_name_brings_no_job(self, scheduler: Scheduler) -> None:
        spec = self.command(scheduler, "/bin/sleep", "100")
        assert await scheduler.withdraw(self.user, spec.name) is True
        with pytest.raises(SubmitError):
            await scheduler.submit(spec)
        assert await scheduler.find(self.user, spec.name) is None

    async def test_a_submitted_name_cannot_be_withdrawn(self, scheduler: Scheduler) -> None:
        spec = self.command(scheduler, "/bin/sleep", "100")
        job = await scheduler.submit(spec)
        assert await scheduler.withdraw(self.user, spec.name) is False
        assert await scheduler.find(self.user, spec.name) == job
        await scheduler.cancel(job)

    async def test_many_names_are_found_at_once(self, scheduler: Scheduler) -> None:
        live = self.command(scheduler, "/bin/sleep", "100")
        over = self.command(scheduler, "/bin/true")
        job, other = await scheduler.submit(live), await scheduler.submit(over)
        await self.until(scheduler, other, finished=True)
        never = "nearfield-0000000000000000"
        wanted = [(self.user, name) for name in (live.name, over.name, never)]
        found = await scheduler.find_all(wanted)
        assert found == dict(zip(wanted, (job, None, None), strict=True))
        assert await scheduler.find_all([("nobody-such", live.name)]) in (
            {},
            {("nobody-such", live.name): None},
        )
        assert await scheduler.find_all([]) == {}
        await scheduler.cancel(job)
        await self.until(scheduler, job, finished=True)

    async def test_the_queue_lists_what_waits(self, scheduler: Scheduler) -> None:
        job = await scheduler.submit(self.command(scheduler, "/bin/sleep", "1"))
        listed = [waiting.number for waiting in await scheduler.queue()]
        assert len(set(listed)) == len(listed)
        await self.until(scheduler, job, finished=True)
        assert job.number not in [waiting.number for waiting in await scheduler.queue()]

    async def test_a_job_that_nobody_knows_is_no_exception(self, scheduler: Scheduler) -> None:
        strange = JobId(cluster=scheduler.cluster, user=self.user, number="999999")
        status = (await scheduler.status([strange]))[strange]
        assert status.state in {JobState.UNKNOWN, JobState.FAILED}
        assert status.reason
        await scheduler.cancel(strange)
        assert await scheduler.log_tail(strange, "nearfield-0000000000000000") == ""
        assert await scheduler.image(strange, "nearfield-0000000000000000") == {}

    async def test_asking_for_nothing_answers_nothing(self, scheduler: Scheduler) -> None:
        assert await scheduler.status([]) == {}

    # ------------------------------------------------------------------ what arrives

    @pytest.mark.parametrize("value", WEIRD, ids=range(len(WEIRD)))
    async def test_an_argument_arrives_literally(self, scheduler: Scheduler, value: str) -> None:
        spec = self.command(scheduler, "/usr/bin/printf", "<%s>\\n", value)
        assert await self.output(scheduler, spec) == f"<{value}>"

    @pytest.mark.parametrize("value", WEIRD, ids=range(len(WEIRD)))
    async def test_a_variable_arrives_literally(self, scheduler: Scheduler, value: str) -> None:
        spec = self.command(
            scheduler, "/usr/bin/printenv", "NEARFIELD_X", environment={"NEARFIELD_X": value}
        )
        assert await self.output(scheduler, spec) == value

    async def test_the_tail_of_a_log(self, scheduler: Scheduler) -> None:
        spec = self.command(scheduler, "/usr/bin/printf", "%s\\n", *map(str, range(50)))
        job = await scheduler.submit(spec)
        await self.until(scheduler, job, finished=True)
        assert await scheduler.log_tail(job, spec.name, 3) == "47\n48\n49"
        assert len((await scheduler.log_tail(job, spec.name)).splitlines()) == 30
        assert await scheduler.log_tail(job, spec.name, 0) == ""

    # ------------------------------------------------------------------ rights

    async def test_a_readable_file(self, scheduler: Scheduler, readable: str) -> None:
        folder = str(Path(readable).parent)
        answers = await scheduler.access(self.user, [readable, folder])
        assert answers == {readable: PathAccess.YES, folder: PathAccess.YES}

    async def test_an_unreadable_file(self, scheduler: Scheduler, unreadable: str) -> None:
        assert await scheduler.access(self.user, [unreadable]) == {unreadable: PathAccess.NO}

    # ------------------------------------------------------------------ before a job exists

    async def test_an_estimate_starts_nothing(self, scheduler: Scheduler) -> None:
        spec = self.command(scheduler, "/bin/true")
        found = await scheduler.estimate(spec)
        assert found.earliest.tzinfo is not None
        assert found.latest is None or found.latest >= found.earliest
        assert await scheduler.find(self.user, spec.name) is None
        # The same name is still free: nothing was left behind.
        job = await scheduler.submit(spec)
        await self.until(scheduler, job, finished=True)

    async def test_what_is_free_is_part_of_what_there_is(self, scheduler: Scheduler) -> None:
        found = await scheduler.availability()
        assert found.groups
        assert found.of(None), "where a job without a partition goes"
        for group in found.groups:
            assert 0 <= group.cores_idle <= group.cores
            assert 0 <= group.nodes_idle <= group.nodes
            assert 0 <= group.gpus_idle <= group.gpus
