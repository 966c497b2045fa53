"""A hub that comes back while its nodes are out of reach ends nobody's session."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub import orm

from nearfield.scheduler import JobState
from nearfield_spawners import reach, starting

Lab = Any


@pytest.fixture
def network(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """What each try to reach the node finds; the last one for good."""
    tries = [False, False, True]

    async def in_reach(_url: str) -> bool:
        return tries.pop(0) if len(tries) > 1 else tries[0]

    monkeypatch.setattr(starting, "in_reach", in_reach)
    monkeypatch.setattr(starting.Starting, "reach_seconds", 0.0)
    yield tries


async def after_a_restart(lab: Lab) -> Any:
    first = await lab.running()
    again = lab.spawner(state=first.get_state())
    again._start_pending = False
    again._check_pending = True
    again.orm_spawner.server = orm.Server(
        proto="http", ip="", port=1, base_url="/user/alice/", cookie_name=""
    )
    return again


async def test_a_node_out_of_reach_is_waited_for(lab: Lab, network: list[bool]) -> None:
    spawner = await after_a_restart(lab)
    assert await spawner.get_url() == "http://node1:5000/user/alice/"
    assert network == [True]
    assert spawner._late_route._late, "JupyterHub may have made its routes by now"


async def test_also_while_nobody_knows_of_the_job(lab: Lab, network: list[bool]) -> None:
    spawner = await after_a_restart(lab)
    lab.scheduler.outage = "slurmctld is away"
    assert await spawner.get_url() == "http://node1:5000/user/alice/"
    assert spawner.job_name


async def test_until_its_job_is_over(lab: Lab, network: list[bool]) -> None:
    network[:] = [False]
    spawner = await after_a_restart(lab)
    asked = asyncio.create_task(spawner.get_url())
    await asyncio.sleep(0)
    job = spawner.job
    await lab.scheduler.cancel(job)
    await lab.live.monitor("lab").fresh(job)
    await asyncio.wait_for(asked, 20)
    assert spawner.last_ending.kind == "cancelled"


async def test_an_owner_who_was_not_asked_yet_is_no_cluster_that_is_down(
    lab: Lab, holds: Any
) -> None:
    first = lab.spawner()
    start = asyncio.create_task(first.start())
    job = await lab.submitted(first)
    start.cancel()
    state = first.get_state() | {"job_id": ""}
    told: list[dict[Any, Any]] = [{}, {}, {}]
    find_all = lab.scheduler.find_all

    async def later(wanted: list[Any]) -> Any:
        return told.pop() if told else await find_all(wanted)

    lab.scheduler.find_all = later
    again = lab.spawner(state=state)
    again._start_pending = False
    again.orm_spawner.server = orm.Server(
        proto="http", ip="", port=1, base_url="/user/alice/", cookie_name=""
    )
    asked = asyncio.create_task(again.get_url())
    await holds(lambda: again.job is not None)
    assert job.spec.name == again.job_name
    assert not asked.done()
    lab.scheduler.advance(1)
    again.accept_port(5000)
    assert await asyncio.wait_for(asked, 20) == "http://node1:5000/user/alice/"


async def test_who_stops_it_meanwhile_is_not_made_to_wait(lab: Lab, network: list[bool]) -> None:
    network[:] = [False]
    spawner = await after_a_restart(lab)
    check = asyncio.create_task(spawner.get_url())
    await asyncio.sleep(0)
    # JupyterHub's DELETE: cancel the start, then stop a server that is not pending any more.
    spawner._spawn_future.cancel()
    await asyncio.wait((check,))
    assert not spawner.pending
    assert spawner._spawn_future is None
    job = spawner.job
    await spawner.stop(now=True)
    assert (await lab.scheduler.status([job]))[job].state is JobState.CANCELLED


@pytest.mark.parametrize(
    ("error", "answers"),
    [
        (None, True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
        (OSError(errno.EHOSTUNREACH, "No route to host"), False),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), False),
        (TimeoutError(), False),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), False),
    ],
    ids=repr,
)
async def test_a_refusal_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, error: OSError | None, answers: bool
) -> None:
    asked: list[Any] = []

    class Writer:
        def close(self) -> None:
            asked.append("closed")

    async def connect(host: str, port: int) -> tuple[None, Writer]:
        asked.append((host, port))
        if error is not None:
            raise error
        return None, Writer()

    monkeypatch.setattr(asyncio, "open_connection", connect)
    assert await reach.in_reach("http://node1:5000/user/alice/") is answers
    assert asked == [("node1", 5000), "closed"] if error is None else [("node1", 5000)]
