"""``GET sessions``: what runs, how long it still may, and how the last one ended."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from nearfield.scheduler import JobState
from nearfield_spawners.hub_api import ROUTES
from nearfield_spawners.hub_api.sessions import SessionsHandler, session_of, sessions_of
from nearfield_spawners.time_left import warning_of

Lab = Any


def test_it_is_a_route() -> None:
    assert ("/api/nearfield/sessions", SessionsHandler) in ROUTES


async def test_a_running_session(lab: Lab) -> None:
    spawner = await lab.running()
    now = spawner.ends_at - 600
    told = session_of(spawner, now)
    assert told is not None
    assert (told.profile, told.cluster, told.job, told.state, told.host) == (
        "small",
        "lab",
        spawner.job.number,
        "running",
        "node1",
    )
    assert "hardware" not in spawner.user_options
    assert told.hardware == spawner.get_state()["hardware_name"] == "one"
    assert (told.ends, told.remaining_seconds) == (spawner.ends_at, 600)
    assert told.warning is not None
    assert (told.warning.minutes, "about 10 min" in told.warning.message) == (15, True)
    assert [stage.name for stage in told.stages][-1] == "ready"
    assert told.ended is None
    assert told.url is None, "JupyterHub has not called it ready yet"
    assert lab.token not in told.model_dump_json()


async def test_one_that_starts_and_one_that_never_was(lab: Lab) -> None:
    idle = lab.spawner("idle")
    assert session_of(idle, 0.0) is None
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    await lab.submitted(spawner)
    spawner._spawn_pending = True
    told = session_of(spawner, 0.0)
    assert told is not None
    assert (told.state, told.ends, told.warning) == ("starting", None, None)
    start.cancel()


async def test_one_that_ended(lab: Lab) -> None:
    spawner = await lab.running()
    number = spawner.job.number
    lab.scheduler.jobs[spawner.job].log = "the last words"
    lab.scheduler.finish(spawner.job, JobState.NODE_FAIL, None)
    await lab.live.monitor("lab").fresh(spawner.job)
    await spawner.poll()
    # A hub that came back makes a new object from the saved state.
    again = lab.spawner(state=spawner.get_state())
    again._start_pending = False
    lab.user.orm_user = SimpleNamespace(orm_spawners={"": again.orm_spawner})
    [told] = sessions_of(lab.user, 0.0).sessions
    assert (told.state, told.job, told.profile, told.ends) == ("ended", number, "small", None)
    assert told.ended is not None
    assert told.ended.kind == "node-failed"
    assert told.ended.message == "node node1 failed"
    assert told.ended.hint == "start again: another node will be used"
    assert told.ended.log == "the last words"


@pytest.mark.parametrize(
    ("left", "minutes"),
    [(3600, None), (901, None), (900, 15), (301, 15), (300, 5), (10, 5), (0, None), (-60, None)],
)
def test_which_warning_holds(left: float, minutes: int | None) -> None:
    found = warning_of(10_000.0, 10_000.0 - left, (15, 5))
    assert (found and found.minutes) == minutes


def test_without_an_end_there_is_no_warning() -> None:
    assert warning_of(0.0, 10_000.0, (15, 5)) is None
    assert warning_of(10_000.0, 9_999.0, ()) is None
