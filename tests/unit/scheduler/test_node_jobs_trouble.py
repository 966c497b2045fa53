"""Worker jobs where Slurm, the node or its directory service fails: the session must not suffer."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nearfield.scheduler.node import jobs as jobs_module
from nearfield.scheduler.node import ledger as ledgers
from nearfield.scheduler.node import slurm as slurm_module
from nearfield.scheduler.node.jobs import Jobs
from nearfield.scheduler.node.ledger import Ledger, NotDone
from nearfield.scheduler.node.slurm import NodeSlurm, SlurmSaid
from standins.node_slurm import SlurmOfNode, ledger_of

FACTS = {"node": "na1", "address": "10.99.0.11", "ends": None, "cores": 4, "minutes": 60}
OWNER = object()


@pytest.fixture
def slurm(tmp_path: Path) -> SlurmOfNode:
    return SlurmOfNode(tmp_path)


@pytest.fixture
def ledger(slurm: SlurmOfNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(ledgers, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(ledgers, "AGAIN_SECONDS", 0.0)
    return ledger_of(slurm, tmp_path / "sessions")


def start(ledger: Ledger) -> ledgers.WorkerJob:
    return ledger.start(OWNER, None, {"task": {"kind": "worker"}}, {})


def until_it_sleeps(slurm: SlurmOfNode) -> int:
    end = time.monotonic() + 20
    while not slurm.told("sleeps"):
        assert time.monotonic() < end
        time.sleep(0.01)
    return int(slurm.told("sleeps")[0])


def gone(pid: int) -> bool:
    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return not Path(f"/proc/{pid}").exists()


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    slurm: SlurmOfNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lives on would hold its pipes, and might queue the job much later."""
    slurm.hangs("sbatch")

    def no_answer(self: Any, given: bytes, seconds: float) -> None:
        until_it_sleeps(slurm)
        raise subprocess.TimeoutExpired("sbatch", seconds)

    monkeypatch.setattr(subprocess.Popen, "communicate", no_answer)
    with pytest.raises(SlurmSaid, match="sbatch did not answer") as said:
        NodeSlurm(str(slurm.folder)).submit([], "")
    assert said.value.no_answer
    assert gone(until_it_sleeps(slurm))


def test_the_end_of_a_session_does_not_wait_for_slurm(
    slurm: SlurmOfNode, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slurm gives a job 30 s from TERM to KILL; scratch has to be removed in that time."""
    monkeypatch.setattr(jobs_module, "END_SECONDS", 0.1)
    monkeypatch.setattr(slurm_module, "QUERY_SECONDS", 3600.0)
    start(ledger)
    slurm.hangs("scancel")
    made = Jobs(ledger, str(tmp_path), FACTS, {}, lambda: 0)
    closing = threading.Thread(target=made.close, daemon=True)
    closing.start()
    closing.join(20)
    try:
        assert not closing.is_alive()
    finally:
        os.kill(until_it_sleeps(slurm), signal.SIGKILL)


def test_jobs_end_although_the_directory_service_is_gone(
    slurm: SlurmOfNode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(ledger)

    def unknown() -> Any:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(slurm_module, "own_account", unknown)
    ledger.end_all(1.0)
    assert slurm.told("cancelled") == ["101"]


def test_what_could_not_be_ended_is_ended_later(slurm: SlurmOfNode, ledger: Ledger) -> None:
    """A kernel ends while slurmctld is restarted: what waits in the queue would fill the limit."""
    start(ledger)
    other = ledger.start(object(), None, {}, {})
    assert not ledger.may_end_again(), "both are wanted"
    slurm.says("down")
    ledger.end_of(OWNER)
    assert slurm.told("cancelled") == []
    (slurm.log / "down").unlink()
    assert ledger.may_end_again()
    ledger.end_again()
    assert slurm.told("cancelled") == ["101"]
    assert not ledger.may_end_again()
    assert (Path(other.folder) / "environment.json").exists()


def test_a_job_that_was_on_its_way_when_all_ended(
    slurm: SlurmOfNode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ledger.slurm.submit

    def submit(options: list[str], script: str) -> str:
        number = real(options, script)
        ledger.end_all(0.0)
        return number

    monkeypatch.setattr(ledger.slurm, "submit", submit)
    with pytest.raises(NotDone, match="is ending"):
        start(ledger)
    assert slurm.told("cancelled") == ["101"]


def test_a_job_that_slurm_has_forgotten_does_not_count_for_ever(
    slurm: SlurmOfNode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled by others while it waited, at a site without accounting: nobody tells its end."""
    job, other = start(ledger), start(ledger)
    now = [1000.0]
    monkeypatch.setattr(ledgers.time, "time", lambda: now[0])
    slurm.says("queue", "102|RUNNING|na1|N/A|N/A|None")
    for later, state in ((0.0, "unknown"), (589.0, "unknown"), (12.0, "failed")):
        now[0] += later
        ledger.look()
        assert job.known["state"] == state
    assert other.known["state"] == "running"
    start(ledger)


def test_no_answer_does_not_make_a_job_absent(
    slurm: SlurmOfNode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(ledger)
    now = [1000.0]
    monkeypatch.setattr(ledgers.time, "time", lambda: now[0])
    slurm.says("down")
    for _ in range(3):
        now[0] += 3600.0
        ledger.look()
    assert (job.known["state"], job.over()) == ("unknown", False)


def test_a_node_without_threads_left_serves_when_there_are_some(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module.time, "sleep", lambda _: None)
    made = Jobs(ledger, str(tmp_path), FACTS, {}, lambda: 0)
    real, failed = threading.Thread.start, threading.Event()

    def begin(self: threading.Thread) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("can't start new thread")
        real(self)

    monkeypatch.setattr(threading.Thread, "start", begin)
    try:
        (tmp_path / "j").symlink_to(Path(made.path).parent)
        answers = [ask_at(str(tmp_path / "j/socket")) for _ in range(2)]
    finally:
        made.close()
    assert answers[0] == b""
    assert json.loads(answers[1])["ok"]


def ask_at(path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(20)
        asking.connect(path)
        try:
            asking.sendall(b'{"id": 1, "verb": "hello", "version": 1}\n')
            return asking.makefile("rb").readline()
        except OSError:
            return b""


def test_who_asks_too_much_or_reads_nothing_disturbs_nobody(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "MAX_CONNECTIONS", 2)
    made = Jobs(ledger, str(tmp_path), FACTS, {}, lambda: 0)
    (tmp_path / "j").symlink_to(Path(made.path).parent)
    path, deaf = str(tmp_path / "j/socket"), socket.socket(socket.AF_UNIX)
    try:
        deaf.connect(path)
        deaf.setblocking(False)
        with pytest.raises(BlockingIOError):  # neither side takes any more
            for _ in range(100_000):
                deaf.sendall(b'{"id": "%s"}\n' % (b"x" * 10_000))
        with socket.socket(socket.AF_UNIX) as slow:
            slow.connect(path)
            slow.sendall(b'{"id": 1, "ver')
            assert ask_at(path) == b"", "one more than there may be"
        end, answer = time.monotonic() + 20, b""
        while not answer and time.monotonic() < end:
            answer = ask_at(path)
        assert json.loads(answer)["ok"]
    finally:
        made.close()
        deaf.close()
