"""Sessions through the launcher on the real cluster, from submit to cancel, and what may fail."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import JobId, JobState, JobStatus, PathAccess
from nearfield.scheduler.jobspec import Chosen, DatasetLink
from nearfield.scheduler.slurm import SlurmScheduler

pytestmark = pytest.mark.system

NEAR_A = Chosen(near="a")
TOKEN = "s3cret-of-the-session"


@pytest.fixture
def data(cluster: Any) -> Iterator[Path]:
    """A dataset on storage a, in a folder whose name invites mistakes; as the nodes see it."""
    name = f'pytest: a,b "q" $(id) {time.time_ns()}'
    folder: Path = cluster.storage("a") / name
    (folder / "raw").mkdir(parents=True)
    (folder / "scan.h5").write_text("the scan")
    (folder / "raw/part.h5").write_text("a part")
    folder.chmod(0o755)
    yield cluster.data("a") / name
    shutil.rmtree(folder)


WORDS = {"checks", "container", "server"}


def link(folder: Path, slug: str = "scan-1") -> DatasetLink:
    files = (str(folder / "scan.h5"), str(folder / "raw/part.h5"))
    return DatasetLink(pid="20.500/scan", slug=slug, folder=str(folder), files=files)


async def until(
    scheduler: SlurmScheduler, job: JobId, *states: JobState, seconds: float = 30
) -> JobStatus:
    end = time.monotonic() + seconds
    while (status := (await scheduler.status([job]))[job]).state not in states:
        assert time.monotonic() < end, status
        await asyncio.sleep(0.1)
    return status


async def reported(hub: Any, seconds: float = 30) -> int:
    end = time.monotonic() + seconds
    while not hub.reports:
        assert time.monotonic() < end, "no port was reported"
        await asyncio.sleep(0.02)
    return int(hub.reports[0][2]["port"])


def fetch(host: str, port: int) -> Any:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/")
    return json.loads(connection.getresponse().read())


@pytest.mark.parametrize("profile", ["standin", "image"])
async def test_a_session_from_submit_to_cancel(
    *, site: Any, scheduler: SlurmScheduler, idle: Any, hub: Any, data: Path, profile: str
) -> None:
    spec = site.spec(profile, callback_url=hub.callback, datasets=[link(data)], chosen=NEAR_A)
    job = await scheduler.submit(spec)
    port = await reported(hub)
    assert hub.reports == [("/hub/api/nearfield/port", f"token {TOKEN}", {"port": port})]
    # Each is told by the side, so the order is nobody's promise.
    assert {token for token, _ in hub.stages} == {f"token {TOKEN}"}
    assert all(set(told) == {"stage"} and told["stage"] in WORDS for _, told in hub.stages)
    status = await until(scheduler, job, JobState.RUNNING)
    assert status.host in {"na1", "na2"}
    seen = fetch(str(status.host), port)
    env = seen["env"]
    assert seen["data"] == {"scan-1/scan.h5": "the scan", "scan-1/raw/part.h5": "a part"}
    assert seen["cwd"] == env["HOME"] == str(idle.home("alice"))
    assert env["JUPYTERHUB_USER"] == "a $(id)\n'\""
    assert env["JUPYTERHUB_SERVICE_URL"] == f"http://0.0.0.0:{port}/user/alice/"
    assert env["NEARFIELD_PROFILE"] == profile
    assert env["NEARFIELD_JOB"] == spec.name
    assert env["SLURM_JOB_ID"] == job.number
    if profile == "image":
        assert env["NEARFIELD_DATA"] == "/data"
        assert env["NEARFIELD_IMAGE"] == str(idle.image)
        assert len(env["NEARFIELD_IMAGE_DIGEST"]) == 64
    assert await scheduler.find("alice", spec.name) == job
    await assert_secret_nowhere(site, idle, job, str(status.host))
    await scheduler.cancel(job)
    assert (await until(scheduler, job, JobState.CANCELLED)).host == status.host
    assert await scheduler.find("alice", spec.name) is None
    log = await scheduler.log_tail(job, spec.name)
    assert f"listens on port {port}" in log
    assert TOKEN not in log
    left = idle.exec_on(str(status.host), ["ps", "-u", "alice", "-o", "args="]).stdout
    assert "squashfuse" not in left
    assert "standin" not in left
    assert spec.name in (site.dir / "audit").read_text()
    assert TOKEN not in (site.dir / "audit").read_text()


async def assert_secret_nowhere(site: Any, cluster: Any, job: JobId, host: str) -> None:
    shown = [
        cluster.run_as("alice", argv).stdout
        for argv in (
            ["scontrol", "-d", "show", "job", job.number],
            ["sacct", "-j", job.number, "--env-vars"],
            ["sacct", "-j", job.number, "--batch-script"],
            ["sacct", "-j", job.number, "-P", "-o", "all"],
        )
    ]
    shown.append(cluster.exec_on(host, ["ps", "-eo", "args="]).stdout)
    shown.append(cluster.run_as("alice", ["ps", "-eo", "args="]).stdout)
    assert all(shown[:2])
    for text in shown:
        assert TOKEN not in text


async def test_a_dataset_that_the_node_refuses(
    site: Any, scheduler: SlurmScheduler, idle: Any, hub: Any, data: Path
) -> None:
    """The hub cannot tell (it has no such mount); the node does, before the server starts."""
    closed = idle.storage("a") / data.name
    answers = await scheduler.access("alice", [str(data / "scan.h5")])
    assert answers == {str(data / "scan.h5"): PathAccess.UNKNOWN}
    closed.chmod(0o700)
    spec = site.spec(callback_url=hub.callback, datasets=[link(data)], chosen=NEAR_A)
    job = await scheduler.submit(spec)
    ended = await until(scheduler, job, JobState.FAILED)
    assert ended.exit_code == 77
    log = await scheduler.log_tail(job, spec.name)
    assert f"dataset 20.500/scan: {data / 'scan.h5'} cannot be read by alice" in log
    assert "Permission denied" in log
    folder = idle.home("alice") / ".local/share/nearfield/sessions" / spec.name
    failure = json.loads((folder / "failure.json").read_text())
    assert failure["reason"] == "dataset-not-readable"
    assert failure["path"] == str(data / "scan.h5")
    assert hub.reports == []


@pytest.mark.parametrize(
    ("profile", "code", "words"),
    [("no-image", 77, "/nosuch.sif"), ("failing", 42, "the server says no")],
)
async def test_a_session_that_cannot_start_says_why(
    *, site: Any, scheduler: SlurmScheduler, idle: Any, profile: str, code: int, words: str
) -> None:
    spec = site.spec(profile)
    job = await scheduler.submit(spec)
    assert (await until(scheduler, job, JobState.FAILED)).exit_code == code
    assert words in await scheduler.log_tail(job, spec.name)


async def test_a_hub_that_refuses_the_port_ends_the_session(
    site: Any, scheduler: SlurmScheduler, idle: Any, hub: Any
) -> None:
    hub.status = 403
    spec = site.spec(callback_url=hub.callback)
    job = await scheduler.submit(spec)
    assert (await until(scheduler, job, JobState.FAILED)).exit_code == 78
    assert len(hub.reports) == 1
    assert "refused the port" in await scheduler.log_tail(job, spec.name)


async def test_a_job_that_squeue_hides_from_the_hub_is_not_gone(
    site: Any, idle: Any, hub: Any
) -> None:
    """As with PrivateData=jobs: the hub's squeue succeeds and lists nothing."""
    blind = site.dir / "blind"
    blind.mkdir(exist_ok=True)
    (blind / "squeue").write_text("#!/bin/sh\nexit 0\n")
    (blind / "squeue").chmod(0o755)
    scheduler = site.scheduler(bin=blind)
    job = await scheduler.submit(site.spec(callback_url=hub.callback))
    await reported(hub)
    assert (await scheduler.status([job]))[job].state is JobState.RUNNING
    await scheduler.cancel(job)
    await until(scheduler, job, JobState.CANCELLED)


async def test_munged_down_is_unknown(site: Any, idle: Any, hub: Any) -> None:
    scheduler = site.scheduler()
    job = await scheduler.submit(site.spec(callback_url=hub.callback))
    await reported(hub)
    idle.stop_daemon("munged")
    try:
        assert (await scheduler.status([job]))[job].state is JobState.UNKNOWN
        with pytest.raises(SchedulerUnavailableError):
            await scheduler.submit(site.spec())
        with pytest.raises(SchedulerUnavailableError):
            await scheduler.cancel(job)
    finally:
        idle.start_daemon("munged")
    await until(scheduler, job, JobState.RUNNING)
    await scheduler.cancel(job)
    await until(scheduler, job, JobState.CANCELLED)
