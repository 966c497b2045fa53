"""munge away, slurmctld frozen, the accounting database away: no session is lost.

A start meanwhile is refused with a reason, or waits and succeeds: whichever, one job at most comes
of it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hublab.ledger import look

pytestmark = pytest.mark.system

OUTAGES = ("munged", "slurmctld", "slurmdbd")


@contextlib.contextmanager
def outage(cluster: Any, daemon: str) -> Iterator[None]:
    """slurmctld hangs, which is worse than being away: its clients wait."""
    frozen = daemon == "slurmctld"
    cluster.freeze_daemon(daemon) if frozen else cluster.stop_daemon(daemon)
    try:
        yield
    finally:
        cluster.thaw_daemon(daemon) if frozen else cluster.start_daemon(daemon)


@pytest.fixture
def patient(idle: Any) -> Iterator[Any]:
    """Nodes may be silent for longer than the longest outage, as with Slurm's own default."""
    idle.set_patience(150)
    yield idle
    idle.set_patience()


def answers(hub: Any, user: str, name: str) -> bool:
    return httpx.get(f"{hub.url}/user/{user}/{name}/api", timeout=10).status_code == 200


class Starting(threading.Thread):
    """A request for a server, answered whenever."""

    def __init__(self, hub: Any, user: str, name: str) -> None:
        super().__init__(daemon=True)
        self.hub, self.user, self.server = hub, user, name
        self.answer: httpx.Response | None = None

    def run(self) -> None:
        options = {"profile": "stand-in"}
        self.answer = self.hub.request_server(self.user, options, self.server, timeout=150)


def settled(hub: Any, user: str, name: str, seconds: float) -> bool:
    """Is there a server in the end? Until then it may be pending."""
    deadline = time.monotonic() + seconds
    while (server := hub.server(user, name)) is not None and not server["ready"]:
        assert time.monotonic() < deadline, f"{server}\n{hub.tail()}"
        time.sleep(0.3)
    return server is not None


def survive(cluster: Any, hub: Any, daemon: str, *, sessions: int, seconds: float) -> None:
    keys = [(("alice", "bob", "carol")[n % 3], f"o{n}") for n in range(sessions)]
    for user, name in keys:
        hub.request_server(user, {"profile": "stand-in"}, name)
    for user, name in keys:
        hub.wait_ready(user, name=name)
    before = look(hub)
    with outage(cluster, daemon):
        began = time.monotonic()
        start = Starting(hub, "carol", "meanwhile")
        start.start()
        while time.monotonic() - began < seconds:
            for user, name in keys:
                server = hub.server(user, name)
                assert server is not None and server["ready"], hub.tail()
                assert answers(hub, user, name)
            time.sleep(1)
    start.join(180)
    assert start.answer is not None, hub.tail()
    after = None
    deadline = time.monotonic() + 60
    while after is None or after.faults():
        assert time.monotonic() < deadline, after and after.faults()
        came = settled(hub, "carol", "meanwhile", 120)
        after = look(hub)
    for user, name in keys:
        was, now = before.row(user, name), after.row(user, name)
        assert was is not None and now is not None
        assert (now.number, now.active) == (was.number, True), hub.tail()
        assert after.alive[now.job_name].state == "RUNNING"
        assert answers(hub, user, name)
    if daemon == "slurmdbd":
        assert came, f"Slurm runs jobs without its database: {start.answer.text}\n{hub.tail()}"
    elif not came and start.answer.status_code >= 400:
        message = start.answer.json()["message"]
        assert start.answer.status_code == 503, start.answer.text
        assert "sbatch" in message or "squeue" in message or "launcher" in message, message
    # And then all is as before.
    hub.request_server("bob", {"profile": "stand-in"}, "afterwards")
    hub.wait_ready("bob", name="afterwards")


@pytest.mark.parametrize("daemon", OUTAGES)
def test_a_short_outage_loses_no_session(idle: Any, hub: Any, daemon: str) -> None:
    survive(idle, hub, daemon, sessions=2, seconds=4)


def test_a_job_that_nobody_could_cancel_is_cancelled_by_a_hub_without_servers(
    idle: Any, hub: Any
) -> None:
    hub.request_server("alice", {"profile": "stand-in"}, "left")
    hub.wait_ready("alice", name="left")
    row = look(hub).row("alice", "left")
    assert row is not None
    with outage(idle, "munged"):
        hub.stop_server("alice", name="left")
        hub.kill()
        hub.start()
    # Nobody asks this hub for anything: a request could have it make its user's spawners.
    told = look(hub)
    assert not [row for row in told.rows if row.active]
    deadline = time.monotonic() + 90
    while look(hub).leftovers:
        assert time.monotonic() < deadline, hub.tail()
        time.sleep(0.5)
    assert idle.wait_job(row.number) == "CANCELLED"
    assert f"job {row.job_name}, left over from an outage, is cancelled" in hub.log.read_text()


@pytest.mark.soak
@pytest.mark.parametrize("daemon", OUTAGES)
def test_an_outage_of_a_minute_loses_no_session(patient: Any, hub: Any, daemon: str) -> None:
    survive(patient, hub, daemon, sessions=20, seconds=60)
