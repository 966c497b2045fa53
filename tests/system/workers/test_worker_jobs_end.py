"""Who may start worker jobs and how many; and their end, when something else ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from workerlab.asking import ASK, SCHEDULER
from workerlab.ends import DASK, NODES, leftovers, log_of, processes, until, worker_jobs

pytestmark = pytest.mark.system

InSession = Callable[..., str]

NOBODY = (
    ASK
    + """
facts = result("hello", version=1)
tls = dict.fromkeys(("ca", "cert", "key"), "-----BEGIN x")
def asked(name="w"):
    return ask("start", name=name, scheduler="tls://10.99.0.1:9", python=sys.executable, tls=tls)
"""
)


def test_who_is_served_and_how_often(idle: Any, in_session: InSession) -> None:
    code = NOBODY + 'print(json.dumps([facts["most"], asked("a"), asked("b")]))'
    most, first, second = json.loads(in_session("single", code))
    assert (most, first["ok"]) == (1, True)
    assert second["error"]["reason"] == "limit"
    assert "its profile single allows 1 at a time" in second["error"]["message"]
    # Not root, who can reach the socket, nor anybody else, who cannot.
    sockets = ["sh", "-c", "ls /tmp/nearfield-*/nearfield-jobs/socket"]
    [path] = idle.exec_on("na1", sockets).stdout.split()
    knock = ["/usr/bin/python3", "-c", KNOCK, path]
    assert idle.exec_on("na1", knock).stdout == "b''\n"
    as_bob = ["setpriv", "--reuid=bob", "--regid=20000", "--clear-groups"]
    assert "PermissionError" in idle.exec_on("na1", [*as_bob, *knock]).stderr


KNOCK = """
import socket, sys
knocking = socket.socket(socket.AF_UNIX)
knocking.connect(sys.argv[1])
try:
    knocking.sendall(b'{"verb": "hello", "version": 1}\\n')
    print(knocking.recv(10))
except OSError:
    print(b"")
"""

PROGRAM = "PROGRAM = .*/sessions/nearfield-[0-9a-f]{16}$"
"""The host side of a session's job; its canary, a fork of it, is younger."""
WORKING = (
    SCHEDULER
    + """
[start(name) for name in "ab"]
client.gather(client.map(time.sleep, [%s] * 1000, pure=False))
"""
)


@pytest.fixture
def working(request: pytest.FixtureRequest, idle: Any, in_session: InSession) -> Iterator[None]:
    """A session of that profile, in which two workers are at work, in tasks of so many seconds."""
    profile, seconds = request.param
    beside = ThreadPoolExecutor(1)
    asked = beside.submit(in_session, profile, WORKING % seconds, 120)

    def connected() -> int:
        return sum("Registered to" in log_of(path) for path in worker_jobs(idle).values())

    found = until(connected, lambda number: number == 2 or asked.done(), 60)
    assert found == 2, asked.exception() if asked.done() else worker_jobs(idle)
    yield
    beside.shutdown(wait=False)


@pytest.mark.parametrize("working", [("inside", 300)], indirect=True)
def test_the_session_ends(idle: Any, hub: Any, working: None) -> None:
    hub.stop_server("alice", name="inside")
    assert leftovers(idle) == []


@pytest.mark.parametrize("working", [("inside", 0.1)], indirect=True)
def test_the_program_of_the_session_is_killed(idle: Any, working: None) -> None:
    """Nothing can be cancelled any more: workers end because their scheduler does."""
    node, pid = min(processes(idle, PROGRAM))
    idle.exec_on(node, ["kill", "-KILL", str(pid)])
    assert leftovers(idle) == []
    kernels = until(lambda: processes(idle, "ipykernel_launcher"), lambda found: not found, 15)
    assert kernels == []


@pytest.mark.soak
@pytest.mark.parametrize("working", [("spread", 0.1)], indirect=True)
def test_the_node_of_the_session_loses_power(idle: Any, working: None) -> None:
    """No connection is closed by anybody: a worker on another node must find out by itself."""
    nodes = sorted(log_of(path).split(" on ")[1][:3] for path in worker_jobs(idle).values())
    assert nodes == ["na1", "na2"]
    idle.kill_node("na1")
    try:
        # TCP gives up after 30 s without an answer.
        left = until(lambda: processes(idle, DASK, ("na2",)), lambda found: not found, 60)
        assert left == []
        keys = ["sh", "-c", "ls -d /tmp/nearfield-*"]
        scratch = until(lambda: idle.exec_on("na2", keys).stdout, lambda found: not found, 10)
        assert scratch == ""
    finally:
        idle.boot_node("na1")


@pytest.mark.parametrize("working", [("inside", 0.1)], indirect=True)
def test_the_session_ends_while_slurm_hangs(idle: Any, working: None) -> None:
    """No scancel is answered. Slurm would kill after 30 s what is not over by then."""
    node, pid = min(processes(idle, PROGRAM))
    idle.set_patience(150)
    idle.freeze_daemon("slurmctld")
    try:
        idle.exec_on(node, ["kill", "-TERM", str(pid)])
        program = until(lambda: processes(idle, PROGRAM, (node,)), lambda found: not found, 25)
        workers = until(lambda: processes(idle, DASK), lambda found: not found, 20)
        keys = ["sh", "-c", "ls -d /tmp/nearfield-*"]
        scratch = [line for n in NODES for line in idle.exec_on(n, keys).stdout.splitlines()]
        assert (program, workers, scratch) == ([], [], [])
    finally:
        idle.thaw_daemon("slurmctld")
        idle.set_patience()
    # Nothing of it runs any more; the nodes tell slurmctld again at intervals of their own.
    assert leftovers(idle, 90) == []
