"""What the contract does not tell of local jobs: time limits and odd states of the folder."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nearfield.scheduler import (
    CommandTask,
    JobId,
    JobSpec,
    JobState,
    JobStatus,
    SessionTask,
    local_keeper,
)
from nearfield.scheduler.local import LocalScheduler

ME = pwd.getpwuid(os.geteuid()).pw_name


def keep(folder: Path, script: str, minutes: float = 1, grace: float = 0) -> dict[str, object]:
    (folder / "nf-1").mkdir()
    argv = [
        sys.executable,
        "-I",
        local_keeper.__file__,
        str(folder),
        "1",
        str(folder / "nf-1"),
        str(minutes),
        str(grace),
    ]
    subprocess.run(argv, input=script.encode(), check=True, timeout=10)
    end = time.monotonic() + 10
    while not (folder / "1.end").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    found: dict[str, object] = json.loads((folder / "1.end").read_text())
    return found


def test_the_job_is_told_ahead_of_its_wall_time(tmp_path: Path) -> None:
    script = "trap 'exit 79' USR2\nsleep 30 & wait\n"
    ended = keep(tmp_path, script, minutes=5, grace=299.7)
    assert (ended["exit_code"], ended["by"]) == (79, "itself")


def test_the_wall_time_is_enforced(tmp_path: Path) -> None:
    ended = keep(tmp_path, "trap 'echo bye; exit 5' TERM\nsleep 30 & wait\n", minutes=0.02)
    assert (ended["by"], ended["exit_code"]) == ("timeout", 5)
    assert (tmp_path / "nf-1/log").read_text() == "bye\n"


def test_a_signal_is_told_as_a_shell_does(tmp_path: Path) -> None:
    ended = keep(tmp_path, "kill -9 $$\n")
    assert (ended["by"], ended["exit_code"]) == ("itself", 137)


def test_what_a_job_leaves_behind_is_ended(tmp_path: Path) -> None:
    keep(tmp_path, f"sleep 31 & echo $! > {tmp_path}/pid\n")
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    end = time.monotonic() + 10
    while runs(stat):
        assert time.monotonic() < end
        time.sleep(0.01)


def runs(stat: Path) -> bool:
    """Is there more of the process than its exit code?"""
    try:
        return ") Z" not in stat.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def spec(name: str, task: CommandTask | SessionTask) -> JobSpec:
    return JobSpec(name=name, cluster="local", user=ME, profile="p", task=task)


def keeper_lives(scheduler: LocalScheduler, job: JobId) -> bool:
    kept = json.loads((scheduler._state / f"{job.number}.pid").read_text())
    return local_keeper.start_ticks(kept["keeper"]) == kept["ticks"]


async def finished(scheduler: LocalScheduler, job: JobId) -> JobStatus:
    for _ in range(500):
        found = (await scheduler.status([job]))[job]
        if found.state.finished and not keeper_lives(scheduler, job):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{job} does not end: {found}")


async def test_a_server_listens_on_this_machine_alone(tmp_path: Path) -> None:
    scheduler = LocalScheduler(state=tmp_path)
    await scheduler.submit(spec("nf-1", SessionTask(command=("/bin/true",))))
    session = json.loads((tmp_path / "sessions/nf-1/session.json").read_text())
    assert session["task"]["bind_address"] == "127.0.0.1"


async def test_the_programs_of_this_python_are_found(tmp_path: Path) -> None:
    scheduler = LocalScheduler(state=tmp_path)
    job = await scheduler.submit(spec("nf-1", CommandTask(argv=("/usr/bin/printenv", "PATH"))))
    await finished(scheduler, job)
    assert (await scheduler.log_tail(job, "nf-1")).startswith(f"{sys.prefix}/bin:")


async def test_a_damaged_record_is_no_exception(tmp_path: Path) -> None:
    scheduler = LocalScheduler(state=tmp_path)
    job = await scheduler.submit(spec("nf-1", CommandTask(argv=("/bin/true",))))
    await finished(scheduler, job)
    for suffix in ("end", "pid", "json"):
        (tmp_path / f"{job.number}.{suffix}").write_text("not json")
        await scheduler.cancel(job)
        assert (await scheduler.status([job]))[job].state is not JobState.RUNNING
    (tmp_path / "x.json").write_text("{}")
    second = await scheduler.submit(spec("nf-2", CommandTask(argv=("/bin/true",))))
    assert second != job


async def test_a_term_to_the_keeper_is_a_cancel(tmp_path: Path) -> None:
    scheduler = LocalScheduler(state=tmp_path)
    job = await scheduler.submit(spec("nf-1", CommandTask(argv=("/bin/sleep", "60"))))
    kept = json.loads((tmp_path / f"{job.number}.pid").read_text())
    os.kill(kept["keeper"], signal.SIGTERM)
    found = await finished(scheduler, job)
    assert found.state is JobState.CANCELLED


@pytest.mark.parametrize("number", ["../1", "x", ""])
async def test_numbers_are_numbers(tmp_path: Path, number: str) -> None:
    scheduler = LocalScheduler(state=tmp_path)
    job = JobId(cluster="local", user="me", number=number)
    assert (await scheduler.status([job]))[job].state is JobState.UNKNOWN
    await scheduler.cancel(job)
