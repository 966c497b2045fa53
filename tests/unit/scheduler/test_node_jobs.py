"""The socket for worker jobs: whom it serves, what it takes, and that it is a lease."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearfield.scheduler.node import jobs as jobs_module
from nearfield.scheduler.node import ledger as ledgers
from nearfield.scheduler.node.jobs import Jobs
from standins.node_slurm import SlurmOfNode, ledger_of

FACTS = {"node": "na1", "address": "10.99.0.11", "ends": None, "cores": 4, "minutes": 60}
WORKER = {"session_folder": "/s", "identity": [], "digest": "", "layer": ""}
PEM = "-----BEGIN x"
GOOD = {"name": "w-1", "scheduler": "tls://10.99.0.11:40123", "python": "/usr/bin/python3",
        "tls": {"ca": PEM, "cert": PEM, "key": PEM}}  # fmt: skip


class Kernel:
    """One that asks."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")

    def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        return self.send(json.dumps({"id": 7, "verb": verb} | more).encode() + b"\n")

    def send(self, line: bytes) -> dict[str, Any]:
        self.socket.sendall(line)
        return dict(json.loads(self.lines.readline()))

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture
def slurm(tmp_path: Path) -> SlurmOfNode:
    return SlurmOfNode(tmp_path)


@pytest.fixture
def jobs(slurm: SlurmOfNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    monkeypatch.setattr(ledgers, "LOOK_SECONDS", 0.0)
    ledger = ledger_of(slurm, tmp_path / "sessions")
    # Longer than the address of a socket can be.
    scratch = tmp_path / ("s" * 100)
    scratch.mkdir()
    made = Jobs(ledger, str(scratch), FACTS, WORKER, lambda: 0)
    yield made
    made.close()


@pytest.fixture
def kernel(jobs: Jobs, tmp_path: Path) -> Iterator[Kernel]:
    short = tmp_path / "j"
    short.symlink_to(Path(jobs.path).parent)
    made = Kernel(str(short / "socket"))
    yield made
    made.close()


def until_cancelled(slurm: SlurmOfNode, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    done = threading.Event()
    real = jobs_module.Ledger.end_of

    def end_of(self: Any, owner: object) -> None:
        real(self, owner)
        done.set()

    monkeypatch.setattr(jobs_module.Ledger, "end_of", end_of)
    return done


def test_it_is_private(jobs: Jobs) -> None:
    assert stat.S_IMODE(Path(jobs.path).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(jobs.path).parent.stat().st_mode) == 0o700


def test_another_account_is_not_answered(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "peer_uid", lambda _: os.getuid() + 1)
    (tmp_path / "j").symlink_to(Path(jobs.path).parent)
    other = Kernel(str(tmp_path / "j/socket"))
    try:
        assert other.lines.readline() == b""
    finally:
        other.close()


def test_hello(kernel: Kernel) -> None:
    told = kernel.ask("hello", version=1)
    assert (told["id"], told["ok"]) == (7, True)
    assert told["result"] == FACTS | {
        "version": 1, "most": 2, "possible": True, "why": "", "seconds_left": None,
    }  # fmt: skip
    assert kernel.ask("hello", version=2)["error"]["reason"] == "version"


def test_a_job_from_its_start_to_its_end(kernel: Kernel, slurm: SlurmOfNode) -> None:
    started = kernel.ask("start", **GOOD, minutes=5)["result"]
    assert started["job"] == "101"
    assert "--time=5" in slurm.told("options")
    [folder] = (slurm.folder.parent / "sessions").glob("nearfield-worker-*")
    session = json.loads((folder / "session.json").read_text())
    assert session["name"] == started["job_name"] == folder.name
    assert session["task"]["kind"] == "worker"
    assert session["worker"] == WORKER | {
        "name": "w-1", "scheduler": GOOD["scheduler"], "python": GOOD["python"], "threads": 4,
    }  # fmt: skip
    (folder / "log").write_text("one\ntwo\n")
    running = kernel.ask("status", log=1)["result"]["jobs"]["101"]
    assert (running["state"], running["node"], running["log"]) == ("running", "na1", "two")
    assert running["failure"] is None
    slurm.says("queue", "101|FAILED|na1|N/A|N/A|NonZeroExitCode")
    (folder / "failure.json").write_text('{"reason": "mount", "message": "no mount", "path": "/"}')
    failed = kernel.ask("status")["result"]["jobs"]["101"]
    assert (failed["state"], failed["log"]) == ("failed", "")
    assert failed["failure"] == {"reason": "mount", "message": "no mount"}
    assert kernel.ask("cancel", jobs=["101"])["result"] == {"cancelled": []}
    assert slurm.told("cancelled") == []


def test_a_job_is_cancelled(kernel: Kernel, slurm: SlurmOfNode) -> None:
    for name in ("a", "b"):
        kernel.ask("start", **(GOOD | {"name": name}))
    assert kernel.ask("cancel", jobs=["102"])["result"] == {"cancelled": ["102"]}
    assert slurm.told("cancelled") == ["102"]


@pytest.mark.parametrize("number", [1, 8, 500])
def test_an_answer_is_never_longer_than_a_line(tmp_path: Path, number: int) -> None:
    """Of as many jobs as a profile may allow, with long texts of long signs."""
    words = "\N{GRINNING FACE}" * 2_500
    (tmp_path / "log").write_text("\n".join(words[:299] for _ in range(100)))
    failure = json.dumps({"reason": words, "message": words})
    (tmp_path / "failure.json").write_text(failure)
    job = ledgers.WorkerJob("nearfield-worker-0123456789abcdef-01234567", str(tmp_path), None)
    job.over_at = 1.0
    job.known.update(reason="x" * 60, node="n" * 63, start=1795324277.0, ends=1795324277.0)
    shown = jobs_module.shown_job(job, 100, jobs_module.text_for_each(number))
    assert shown["log"] and shown["failure"]["message"]
    told = {"id": 7, "ok": True, "result": {"jobs": {str(n): shown for n in range(number)}}}
    assert len(json.dumps(told, ensure_ascii=False).encode()) < jobs_module.MAX_LINE


def test_estimate(kernel: Kernel, slurm: SlurmOfNode) -> None:
    assert kernel.ask("estimate")["result"] == {"start": 1767225600.0}
    assert slurm.told("options")[0] == "--test-only"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "-w"),
        ("name", "a b"),
        ("name", "x" * 65),
        ("name", 7),
        ("scheduler", "tcp://10.0.0.1:8786"),
        ("scheduler", "tls://10.0.0.1:8786 --preload x"),
        ("scheduler", "tls://10.0.0.1"),
        ("python", "python3"),
        ("python", "/x\n"),
        ("threads", 0),
        ("threads", 5),
        ("threads", True),
        ("minutes", 61),
        ("minutes", "5"),
        ("tls", None),
        ("tls", {"ca": PEM, "cert": PEM}),
        ("tls", {"ca": PEM, "cert": PEM, "key": "/etc/shadow"}),
    ],
)
def test_what_does_not_fit_is_refused(
    kernel: Kernel, slurm: SlurmOfNode, field: str, value: Any
) -> None:
    told = kernel.ask("start", **(GOOD | {field: value}))
    assert told["error"]["reason"] == "request"
    assert told["error"]["message"].startswith(field)
    assert slurm.told("options") == []


def test_lines_that_are_no_request(kernel: Kernel) -> None:
    for line in (b"x\n", b"[1]\n", b"\xff\n", b"[" * 100_000 + b"\n", b"7\n"):
        assert kernel.send(line)["error"]["reason"] == "request"
    assert kernel.ask("submit")["error"]["reason"] == "verb"
    assert kernel.ask("status", jobs="101")["error"]["reason"] == "request"
    assert kernel.ask("hello", version=1)["ok"]


def test_a_line_without_end_closes_the_connection(kernel: Kernel) -> None:
    try:
        kernel.socket.sendall(b"x" * (jobs_module.MAX_LINE + 10))
    except OSError:
        return
    try:
        assert kernel.lines.readline() == b""
    except ConnectionResetError:
        return


def test_a_job_of_another_connection_is_not_ours(kernel: Kernel, jobs: Jobs) -> None:
    kernel.ask("start", **GOOD)
    for verb in ("status", "cancel"):
        answer = jobs.answer(object(), json.dumps({"verb": verb, "jobs": ["101"]}).encode())
        assert answer["error"]["reason"] == "job"
    assert jobs.answer(object(), b'{"verb": "status"}')["result"] == {"jobs": {}}


def test_the_connection_is_the_lease(
    kernel: Kernel, slurm: SlurmOfNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = until_cancelled(slurm, monkeypatch)
    kernel.ask("start", **GOOD)
    kernel.close()
    assert done.wait(20)
    assert slurm.told("cancelled") == ["101"]


def test_the_session_ends(kernel: Kernel, jobs: Jobs, slurm: SlurmOfNode) -> None:
    kernel.ask("start", **GOOD)
    jobs.close()
    assert slurm.told("cancelled") == ["101"]
    assert kernel.lines.readline() == b"", "a kernel must be able to see the end"


def test_asked_to_end_it_ends_the_workers_first(slurm: SlurmOfNode, tmp_path: Path) -> None:
    asked = threading.Event()
    ledger = ledger_of(slurm, tmp_path / "sessions")
    ended = threading.Event()
    ledger.end_all = lambda seconds: ended.set()  # type: ignore[method-assign]
    made = Jobs(ledger, str(tmp_path), FACTS, WORKER, asked.is_set)
    asked.set()
    assert ended.wait(20)
    made.close()


def test_a_node_that_nobody_reaches_starts_none(slurm: SlurmOfNode, tmp_path: Path) -> None:
    facts = FACTS | {"address": ""}
    made = Jobs(ledger_of(slurm, tmp_path / "s"), str(tmp_path), facts, WORKER, lambda: 0)
    try:
        answer = made.answer(object(), json.dumps({"verb": "start"} | GOOD).encode())
    finally:
        made.close()
    assert answer["error"]["reason"] == "impossible"
    assert "no address that other nodes reach" in answer["error"]["message"]


def test_no_more_minutes_than_the_session_has(
    slurm: SlurmOfNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module.time, "time", lambda: 1000.0)
    facts = FACTS | {"ends": 1000.0 + 10 * 60 - 1}
    made = Jobs(ledger_of(slurm, tmp_path / "s"), str(tmp_path), facts, WORKER, lambda: 0)
    try:
        made.answer(object(), json.dumps({"verb": "start"} | GOOD).encode())
    finally:
        made.close()
    assert "--time=10" in slurm.told("options")
