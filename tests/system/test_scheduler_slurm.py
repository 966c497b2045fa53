"""The scheduler contract on a real Slurm, as a user who submits for herself."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from nearfield.config import Cluster as ClusterConfig
from nearfield.errors import SchedulerUnavailableError, SubmitError
from nearfield.scheduler import (
    CommandTask,
    Hardware,
    JobId,
    JobSpec,
    JobState,
    JobStatus,
    PathAccess,
    Scheduler,
    wire,
)
from nearfield.scheduler.slurm import SlurmScheduler
from nearfield.testing.scheduler_contract import SchedulerContract

pytestmark = pytest.mark.system

# Runs as the user: DirectSubmitter with the one request on standard input.
CHILD = """
import asyncio, json, sys
from nearfield.config import Cluster
from nearfield.errors import NearfieldError
from nearfield.scheduler import wire
from nearfield.scheduler.jobspec import JobSpec
from nearfield.scheduler.submitters import DirectSubmitter
data = json.loads(sys.stdin.read())
submitter = DirectSubmitter(Cluster.model_validate_json(data["settings"]))
async def call():
    if data["verb"] == "submit":
        return await submitter.submit(JobSpec.model_validate(data["spec"]))
    if data["verb"] == "estimate":
        return (await submitter.estimate(JobSpec.model_validate(data["spec"]))).isoformat()
    return await getattr(submitter, data["verb"])(data["user"], *data["rest"])
try:
    found = asyncio.run(call())
    if data["verb"] == "status":
        found = {k: v.model_dump(mode="json") for k, v in found.items()}
    print(wire.answer(found))
except NearfieldError as error:
    print(wire.failure(error))
"""


class AsUser:
    """A Submitter that runs DirectSubmitter in a process of the user."""

    def __init__(self, cluster: Any, settings: ClusterConfig) -> None:
        self._cluster, self._settings = cluster, settings

    async def _ask(self, user: str, verb: str, *rest: Any, **more: Any) -> Any:
        python = str(self._cluster.site_venv / "bin/python")
        request = {"settings": self._settings.model_dump_json(), "verb": verb, "user": user}
        done: subprocess.CompletedProcess[str] = await asyncio.to_thread(
            self._cluster.run_as,
            user,
            [python, "-I", "-c", CHILD],
            input=json.dumps(request | {"rest": rest} | more),
            # What a user's shell may hold must not reach squeue, sbatch or the job.
            env={"SQUEUE_FORMAT": "%i", "SBATCH_PARTITION": "gpu-sim", "MY_SECRET": "tell-nobody"},
        )
        assert done.returncode == 0, done.stderr
        return wire.read_answer(done.stdout)

    async def submit(self, spec: JobSpec) -> str:
        return str(await self._ask(spec.user, "submit", spec=json.loads(spec.wire_json())))

    async def estimate(self, spec: JobSpec) -> datetime:
        told = await self._ask(spec.user, "estimate", spec=json.loads(spec.wire_json()))
        return datetime.fromisoformat(told)

    async def cancel(self, user: str, number: str) -> None:
        await self._ask(user, "cancel", number)

    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]:
        found = await self._ask(user, "status", list(numbers))
        return {n: JobStatus.model_validate(s) for n, s in found.items()}

    async def find(self, user: str, name: str) -> str | None:
        found: str | None = await self._ask(user, "find", name)
        return found

    async def withdraw(self, user: str, name: str) -> bool:
        return bool(await self._ask(user, "withdraw", name))

    async def log_tail(self, user: str, name: str, lines: int) -> str:
        return str(await self._ask(user, "log_tail", name, lines))

    async def image(self, user: str, name: str) -> dict[str, Any]:
        return dict(await self._ask(user, "image", name))

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        found = await self._ask(user, "access", list(paths))
        return {p: PathAccess(w) for p, w in found.items()}


@pytest.fixture
def scheduler(idle: Any) -> Scheduler:
    settings = ClusterConfig()
    return SlurmScheduler("lab", settings, AsUser(idle, settings))


class TestDirect(SchedulerContract):
    @pytest.fixture
    def scheduler(self, scheduler: Scheduler) -> Scheduler:
        return scheduler

    @pytest.fixture
    def unreadable(self, cluster: Any) -> Iterator[str]:
        path: Path = cluster.storage("a") / "of-root"
        path.touch(mode=0o600)
        yield str(path)
        path.unlink()


def spec_of(*argv: str, hardware: Hardware | None = None, **environment: str) -> JobSpec:
    return JobSpec(
        name=f"nearfield-{secrets.token_hex(8)}",
        cluster="lab",
        user="alice",
        profile="test",
        hardware=hardware or Hardware(memory_mb=100, minutes=5),
        task=CommandTask(argv=argv, environment={k: SecretStr(v) for k, v in environment.items()}),
    )


async def until(scheduler: Scheduler, job: JobId, *states: JobState) -> JobStatus:
    end = time.monotonic() + 30
    while (status := (await scheduler.status([job]))[job]).state not in states:
        assert time.monotonic() < end, status
        await asyncio.sleep(0.1)
    return status


async def test_nothing_of_the_callers_environment_and_no_secret_reaches_slurm(
    scheduler: Scheduler, cluster: Any
) -> None:
    spec = spec_of("/usr/bin/env", TOKEN="s3cret-token")
    job = await scheduler.submit(spec)
    await until(scheduler, job, JobState.COMPLETED)
    output = await scheduler.log_tail(job, spec.name, 200)
    assert "TOKEN=s3cret-token" in output
    assert "MY_SECRET" not in output
    assert "SLURM_GET_USER_ENV" not in output  # no login shell of the user was started
    for argv in (
        ["scontrol", "-d", "show", "job", job.number],
        ["sacct", "-j", job.number, "--env-vars"],
        ["sacct", "-j", job.number, "--batch-script"],
    ):
        shown = cluster.run_as("alice", argv).stdout
        assert job.number in shown or "NEARFIELD_NODE_PROGRAM" in shown or "PATH=" in shown
        assert "s3cret" not in shown
        assert "MY_SECRET" not in shown
    folder = cluster.home("alice") / ".local/share/nearfield/sessions" / spec.name
    assert not (folder / "environment.json").exists()
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("hardware", "words"),
    [
        (Hardware(partition="nosuch"), "invalid partition"),
        (Hardware(account="chem"), "Invalid account"),
        (Hardware(qos="nosuch"), "Invalid qos"),
        (Hardware(memory_mb=99_999_999), "Requested node configuration|Memory"),
        (Hardware(minutes=600), "time limit|Time"),
        (Hardware(constraint="nosuch"), "feature"),
    ],
    ids=["partition", "account", "qos", "memory", "time", "constraint"],
)
async def test_a_refusal_carries_the_words_of_sbatch(
    scheduler: Scheduler, cluster: Any, hardware: Hardware, words: str
) -> None:
    spec = spec_of("/bin/true", hardware=hardware)
    with pytest.raises(SubmitError, match=f"(?i){words}"):
        await scheduler.submit(spec)
    assert not (cluster.home("alice") / ".local/share/nearfield/sessions" / spec.name).exists()


async def test_all_of_the_hardware_is_asked_for(scheduler: Scheduler, cluster: Any) -> None:
    hardware = Hardware(
        partition="gpu-sim",
        cores=2,
        memory_mb=300,
        minutes=7,
        gpus=1,
        gpu_type="sim",
        account="physics",
        qos="interactive",
        constraint="gpu&storage-a",
    )
    job = await scheduler.submit(spec_of("/bin/sleep", "60", hardware=hardware))
    status = await until(scheduler, job, JobState.RUNNING)
    shown = cluster.run_as("alice", ["scontrol", "show", "job", job.number]).stdout
    for wanted in (
        "Partition=gpu-sim",
        "CPUs/Task=2",
        "MinMemoryNode=300M",
        "TimeLimit=00:07:00",
        "Account=physics",
        "QOS=interactive",
        "Features=gpu&storage-a",
        "Requeue=0",
    ):
        assert wanted in shown, wanted
    assert "gres/gpu:sim=1" in shown or "gres:gpu:sim:1" in shown
    assert status.host == "gpu1"
    await scheduler.cancel(job)


async def test_an_outage_is_unknown_and_never_an_end(scheduler: Scheduler, cluster: Any) -> None:
    job = await scheduler.submit(spec_of("/bin/sleep", "100"))
    await until(scheduler, job, JobState.RUNNING)
    for daemon in ("munged", "slurmctld"):
        cluster.stop_daemon(daemon)
        try:
            status = (await scheduler.status([job]))[job]
            assert status.state is JobState.UNKNOWN, daemon
            assert status.reason
            if daemon == "munged":
                with pytest.raises(SchedulerUnavailableError):
                    await scheduler.submit(spec_of("/bin/true"))
                with pytest.raises(SchedulerUnavailableError):
                    await scheduler.find("alice", "nearfield-00000000000000aa")
                with pytest.raises(SchedulerUnavailableError):
                    await scheduler.cancel(job)
        finally:
            cluster.start_daemon(daemon)
        await until(scheduler, job, JobState.RUNNING)
    await scheduler.cancel(job)
    await until(scheduler, job, JobState.CANCELLED)


async def test_a_home_that_cannot_be_written_is_named(scheduler: Scheduler, cluster: Any) -> None:
    home = cluster.home("carol")
    spec = spec_of("/bin/true").model_copy(update={"user": "carol"})
    before = home.stat()
    import os

    # Carol may have had sessions before: then there is a folder that can be written.
    local, aside = home / ".local", home / ".local-of-before"
    if local.exists():
        local.rename(aside)
    os.chown(home, 0, 0)
    home.chmod(0o755)
    try:
        with pytest.raises(SubmitError, match=rf"{home}/.*Permission denied"):
            await scheduler.submit(spec)
    finally:
        os.chown(home, before.st_uid, before.st_gid)
        home.chmod(before.st_mode & 0o7777)
        if aside.exists():
            aside.rename(local)


async def test_a_forged_name_forges_nothing(scheduler: Scheduler, cluster: Any) -> None:
    """A user renames a job so that its row reads like the end of somebody else's."""
    victim = await scheduler.submit(spec_of("/bin/sleep", "100"))
    await until(scheduler, victim, JobState.RUNNING)
    forged = f"nearfield-00000000000000aa\n{victim.number}|FAILED|na1|N/A|N/A|None"
    number = cluster.sbatch("bob", "--mem=50", f"--job-name={forged}", script="sleep 100")
    cluster.wait_job(number, {"RUNNING"})
    attacker = JobId(cluster="lab", user="bob", number=number)
    seen = await scheduler.status([victim, attacker])
    assert [seen[victim].state, seen[attacker].state] == [JobState.RUNNING, JobState.RUNNING]
    await scheduler.cancel(victim)
