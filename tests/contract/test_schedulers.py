"""The contract of a scheduler, held against the fake and against this machine."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearfield.config import Cluster, Config
from nearfield.errors import SubmitError, UnknownNameError
from nearfield.scheduler import JobId, JobState, PathAccess, Scheduler, open_scheduler
from nearfield.scheduler.local import LocalScheduler
from nearfield.testing.fake_scheduler import FakeScheduler
from nearfield.testing.scheduler_contract import SchedulerContract

ME = pwd.getpwuid(os.geteuid()).pw_name


class TestFake(SchedulerContract):
    @pytest.fixture
    def scheduler(self) -> Scheduler:
        return FakeScheduler(denied={"/closed": PathAccess.NO})

    @pytest.fixture
    def unreadable(self) -> str:
        return "/closed"

    async def pause(self, scheduler: Scheduler) -> None:
        assert isinstance(scheduler, FakeScheduler)
        scheduler.advance(0.5)


def runs(pid: int, program: str) -> bool:
    return Path(f"/proc/{pid}/comm").read_text() == f"{program}\n"


class TestLocal(SchedulerContract):
    user = ME

    @pytest.fixture
    def scheduler(self, tmp_path: Path) -> Scheduler:
        return LocalScheduler(state=tmp_path / "jobs")

    @pytest.fixture
    def unreadable(self, tmp_path: Path) -> Iterator[str]:
        folder = tmp_path / "closed"
        folder.mkdir()
        (folder / "file").touch()
        folder.chmod(0)
        if os.geteuid() != 0:
            yield str(folder / "file")
            return
        os.seteuid(65534)  # root may read everything: be nobody for the length of the question
        try:
            yield str(folder / "file")
        finally:
            os.seteuid(0)

    async def test_nobody_elses_session(self, tmp_path: Path) -> None:
        scheduler = LocalScheduler(state=tmp_path / "jobs")
        spec = self.command(scheduler, "/bin/true").model_copy(update={"user": "somebody-else"})
        with pytest.raises(SubmitError, match="no session for somebody-else"):
            await scheduler.submit(spec)
        assert not (tmp_path / "jobs").exists()

    async def test_another_object_takes_a_running_job_over(self, tmp_path: Path) -> None:
        """The hub was restarted."""
        first = LocalScheduler(state=tmp_path / "jobs")
        spec = self.command(first, "/bin/sleep", "100")
        job = await first.submit(spec)
        second = LocalScheduler(state=tmp_path / "jobs")
        assert await second.find(ME, spec.name) == job
        await self.until(second, job, JobState.RUNNING)
        await second.cancel(job)
        assert (await self.until(second, job, finished=True)).state is JobState.CANCELLED
        assert (await first.status([job]))[job].state is JobState.CANCELLED

    async def test_a_killed_keeper_is_no_success(self, tmp_path: Path) -> None:
        import json
        import signal

        scheduler = LocalScheduler(state=tmp_path / "jobs")
        job = await scheduler.submit(self.command(scheduler, "/bin/sleep", "100"))
        await self.until(scheduler, job, JobState.RUNNING)
        kept = json.loads((tmp_path / "jobs" / f"{job.number}.pid").read_text())
        # The keeper feeds the script to the job: without it before this, there would be no job.
        while not runs(kept["job"], "sleep"):
            await self.pause(scheduler)
        os.kill(kept["keeper"], signal.SIGKILL)
        await asyncio.sleep(0.1)
        # The job itself lives, and can still be ended.
        assert (await scheduler.status([job]))[job].state is JobState.RUNNING
        await scheduler.cancel(job)
        assert (await self.until(scheduler, job, finished=True)).state is JobState.FAILED

    async def test_a_reused_pid_is_not_the_job(self, tmp_path: Path) -> None:
        import json

        scheduler = LocalScheduler(state=tmp_path / "jobs")
        job = await scheduler.submit(self.command(scheduler, "/bin/true"))
        await self.until(scheduler, job, finished=True)
        (tmp_path / "jobs" / f"{job.number}.end").unlink()
        path = tmp_path / "jobs" / f"{job.number}.pid"
        kept = json.loads(path.read_text())
        path.write_text(json.dumps(kept | {"keeper": os.getpid(), "job": os.getpid()}))
        assert (await scheduler.status([job]))[job].state is JobState.FAILED
        await scheduler.cancel(job)  # would end this very process

    async def test_the_jobs_of_another_user_are_not_named(self, tmp_path: Path) -> None:
        scheduler = LocalScheduler(state=tmp_path / "jobs")
        job = await scheduler.submit(self.command(scheduler, "/bin/true"))
        other = JobId(cluster=job.cluster, user="mallory", number=job.number)
        assert (await scheduler.status([other]))[other].reason == "no record of this job"


def test_open_scheduler_gives_the_configured_driver(tmp_path: Path) -> None:
    from nearfield.scheduler.slurm import SlurmScheduler

    config = Config(
        clusters={
            "local": Cluster(scheduler="local", state=tmp_path),
            "direct": Cluster(),
            "sudo": Cluster(submitter="sudo", launcher=Path("/opt/nearfield-launch")),
        }
    )
    assert isinstance(open_scheduler(config, "local"), LocalScheduler)
    assert isinstance(open_scheduler(config, "direct"), SlurmScheduler)
    assert open_scheduler(config, "sudo").cluster == "sudo"
    with pytest.raises(UnknownNameError, match="loca"):
        open_scheduler(config, "loca")
