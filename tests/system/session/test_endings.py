"""How sessions end, each told apart by a label and in words that name the cause."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from hublab.ledger import Job, look

pytestmark = pytest.mark.system


def begin(hub: Any, profile: str, user: str = "alice", name: str = "e") -> Job:
    """A session that runs."""
    answer = hub.request_server(user, {"profile": profile}, name)
    assert answer.status_code in {201, 202}, answer.text + hub.tail()
    hub.wait_ready(user, name=name)
    book = look(hub)
    row = book.row(user, name)
    assert row is not None
    return book.alive[row.job_name]


def told(hub: Any, user: str = "alice", name: str = "e", seconds: float = 40) -> dict[str, Any]:
    """What the user is told of the end, once the hub has seen it."""
    hub.wait_gone(user, seconds, name)
    # The hub is told as soon as the server is over; Slurm says why a moment later.
    deadline = time.monotonic() + 10
    while True:
        row = look(hub).row(user, name)
        assert row is not None and row.ended is not None, hub.tail()
        if "still to say" not in row.ended["hint"] or time.monotonic() > deadline:
            return row.ended
        time.sleep(0.1)


def as_root(cluster: Any, *argv: str) -> None:
    env = os.environ | {"SLURM_CONF": str(cluster.slurm_conf("lab"))}
    subprocess.run(argv, env=env, check=True, timeout=30, capture_output=True)


def cancelled_outside(cluster: Any, hub: Any, job: Job) -> None:
    as_root(cluster, "scancel", job.number)


def out_of_memory(cluster: Any, hub: Any, job: Job) -> None:
    with contextlib.suppress(httpx.HTTPError):
        httpx.get(f"{hub.url}/user/{job.user}/e/do/hog", timeout=5)


def preempted(cluster: Any, hub: Any, job: Job) -> None:
    cluster.sbatch("carol", "-p", "small", "-q", "normal", "-o", "/dev/null", script="sleep 30")


def server_crashed(cluster: Any, hub: Any, job: Job) -> None:
    done = cluster.exec_on(job.host, ["pkill", "-KILL", "-u", "alice", "-f", "stand-in-server"])
    assert done.returncode == 0


def out_of_time(cluster: Any, hub: Any, job: Job) -> None:
    """Its one minute passes."""


ENDINGS: dict[str, tuple[str, Callable[[Any, Any, Job], None], str]] = {
    "cancelled": ("stand-in", cancelled_outside, "cancelled by root"),
    "out-of-memory": ("stand-in", out_of_memory, "memory"),
    "preempted": ("preempted", preempted, "priority"),
    "failed": ("stand-in", server_crashed, "exit code"),
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_the_end_of_a_running_session_is_told(idle: Any, hub: Any, kind: str) -> None:
    profile, act, words = ENDINGS[kind]
    if kind == "out-of-memory" and not idle.real_oom:
        pytest.skip("no memory controller here: Slurm itself says FAILED")
    act(idle, hub, begin(hub, profile))
    ended = told(hub)
    assert ended["kind"] == kind, ended
    assert words in ended["message"], ended


@pytest.mark.soak
def test_out_of_time_is_told(idle: Any, hub: Any) -> None:
    begin(hub, "brief")
    ended = told(hub, seconds=180)
    assert ended["kind"] == "time-limit", ended
    assert "time limit" in ended["message"]


def refused(hub: Any, profile: str, user: str = "alice") -> tuple[int, str]:
    """A start that fails: JupyterHub's status and what it says."""
    answer = hub.request_server(user, {"profile": profile}, "e")
    return answer.status_code, answer.json()["message"]


def test_an_image_that_is_none_is_told(idle: Any, hub: Any) -> None:
    status, message = refused(hub, "no-image")
    assert status == 500
    assert "/etc/passwd" in message
    assert "image" in message
    assert told(hub)["kind"] == "image"


def test_no_port_that_stays_free_is_told(idle: Any, hub: Any) -> None:
    status, message = refused(hub, "unlucky")
    assert status == 500
    assert "no port" in message
    assert told(hub)["kind"] == "port"


@pytest.fixture
def full_home(cluster: Any) -> Iterator[None]:
    """carol's home is a file system of its own, and full."""
    home = cluster.home("carol")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700,uid=20003,gid=20000", "home", home]
    subprocess.run([str(word) for word in mount], check=True)
    try:
        with contextlib.suppress(OSError), (home / "fill").open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        yield
    finally:
        subprocess.run(["/bin/umount", str(home)], check=True)


def test_a_full_home_is_told(idle: Any, hub: Any, full_home: None) -> None:
    status, message = refused(hub, "stand-in", "carol")
    assert status == 502, message
    assert "No space left" in message
    assert "free some space" in message.lower()


def test_a_node_that_fails_is_told_and_the_next_start_works_elsewhere(idle: Any, hub: Any) -> None:
    job = begin(hub, "stand-in")
    idle.kill_node(job.host)
    try:
        assert idle.exec_on(job.host, ["true"]).returncode != 0
        idle.wait_job(job.number, ["NODE_FAIL"], timeout=60)
        seen = time.monotonic()
        ended = told(hub)
        took = time.monotonic() - seen
        assert ended["kind"] == "node-failed", ended
        assert f"node {job.host} failed" in ended["message"]
        # Here the hub looks each second, and JupyterHub asks the spawner each other second.
        assert took < 5, f"{took:.1f} s after Slurm had said so"
        assert begin(hub, "stand-in", name="next").host != job.host
    finally:
        idle.boot_node(job.host)
    after = idle.sbatch("alice", "-w", job.host, "-o", "/dev/null", script="true")
    assert idle.wait_job(after, ["COMPLETED"]) == "COMPLETED"
