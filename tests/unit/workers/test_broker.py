"""The kernel's end of the socket for worker jobs."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nearfield.errors import BlockedError, SchedulerUnavailableError
from nearfield.workers.broker import Broker, Refused, SessionEnds

HELLO = {
    "version": 1, "session": "s", "profile": "small", "node": "na1", "address": "10.0.0.1",
    "bind": "10.0.0.1", "ports": [6000, 6010], "cores": 4, "memory_mb": 8000, "gpus": 0,
    "minutes": 30, "ends": None, "seconds_left": None, "most": 8, "possible": True, "why": "",
    "something": "of a later version",
}  # fmt: skip

Answer = Callable[[dict[str, Any]], list[dict[str, Any]] | None]


def ok(asked: dict[str, Any], result: Any) -> dict[str, Any]:
    return {"id": asked["id"], "ok": True, "result": result}


def no(asked: dict[str, Any], reason: str) -> dict[str, Any]:
    return {"id": asked["id"], "ok": False, "error": {"reason": reason, "message": "not today"}}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., threading.Event]]:
    """Listens at a path and answers; ``None`` hangs up. Gives what is set at the client's end."""
    listening: list[socket.socket] = []

    def serve(path: Path, answer: Answer, hello: dict[str, Any] = HELLO) -> threading.Event:
        listener = socket.socket(socket.AF_UNIX)
        listening.append(listener)
        folder = os.open(path.parent, os.O_PATH)
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
        listener.listen()
        monkeypatch.setenv("NEARFIELD_JOBS", str(path))
        closed = threading.Event()

        def run() -> None:
            connected, _ = listener.accept()
            with connected, connected.makefile("rwb") as lines:
                for line in lines:
                    asked = json.loads(line)
                    said = [ok(asked, hello)] if asked["verb"] == "hello" else answer(asked)
                    if said is None:
                        return
                    for one in said:
                        lines.write(json.dumps(one).encode() + b"\n")
                    lines.flush()
            closed.set()

        threading.Thread(target=run, daemon=True).start()
        return closed

    yield serve
    for one in listening:
        one.close()


Serve = Callable[..., threading.Event]


async def test_what_it_offers_and_answers(serve: Serve, tmp_path: Path) -> None:
    serve(tmp_path / "s", lambda asked: [ok(asked, {"job": asked["name"]})])
    broker, offer = Broker.connect()
    assert (offer.address, offer.most, offer.ports) == ("10.0.0.1", 8, (6000, 6010))
    assert await broker.ask("start", name="w1") == {"job": "w1"}
    broker.close()


async def test_a_path_too_long_for_a_socket(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    serve(folder / "s", lambda asked: [ok(asked, {})])
    broker, _ = Broker.connect()
    assert await broker.ask("status") == {}
    broker.close()


async def test_an_answer_to_somebody_who_gave_up_is_left_out(serve: Serve, tmp_path: Path) -> None:
    serve(tmp_path / "s", lambda a: [ok({"id": a["id"] - 1}, "late"), ok(a, {"jobs": {}})])
    broker, _ = Broker.connect()
    assert await broker.ask("status") == {"jobs": {}}
    broker.close()


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("unavailable", SchedulerUnavailableError), ("limit", Refused), ("refused", Refused)],
)
async def test_refusals(serve: Serve, tmp_path: Path, reason: str, kind: type[Exception]) -> None:
    serve(tmp_path / "s", lambda asked: [no(asked, reason)])
    broker, _ = Broker.connect()
    with pytest.raises(kind, match="not today"):
        await broker.ask("start")
    broker.close()


async def test_the_end_of_the_session(serve: Serve, tmp_path: Path) -> None:
    serve(tmp_path / "s", lambda asked: None)
    broker, _ = Broker.connect()
    for _ in range(2):
        with pytest.raises(SessionEnds):
            await broker.ask("status")
    broker.close()


@pytest.mark.parametrize(
    ("hello", "words"),
    [
        ({**HELLO, "possible": False, "why": "no sbatch on this node"}, "no sbatch on this node"),
        ({"version": 2}, "does not answer"),
    ],
)
def test_a_session_that_starts_nothing(
    serve: Serve, tmp_path: Path, hello: dict[str, Any], words: str
) -> None:
    closed = serve(tmp_path / "s", lambda asked: None, hello)
    with pytest.raises(BlockedError, match=words):
        Broker.connect()
    assert closed.wait(10)


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARFIELD_JOBS", str(tmp_path / "s"))
    with pytest.raises(BlockedError, match="does not answer"):
        Broker.connect()


def test_a_forked_child_does_not_keep_the_lease(serve: Serve, tmp_path: Path) -> None:
    """Else jobs would live on after their kernel."""
    closed = serve(tmp_path / "s", lambda asked: [])
    broker, _ = Broker.connect()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)  # until the parent is done
        os._exit(0)
    try:
        broker.close()
        assert closed.wait(10)
    finally:
        os.close(write)
        os.close(read)
        os.waitpid(child, 0)
