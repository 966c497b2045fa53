"""From submit to URL: each stage told, every failure with a reason, no token in any log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from nearfield.errors import SchedulerUnavailableError, SubmitError
from nearfield.scheduler import JobState
from nearfield_spawners.refusal import NotStartedError
from nearfield_spawners.stages import StageName

Lab = Any
Holds = Callable[[Callable[[], bool]], Awaitable[None]]


def messages(spawner: Any) -> list[str]:
    return [stage.message for stage in spawner.stages]


def spawns(profile: str, outcome: str) -> float:
    labels = {"profile": profile, "outcome": outcome}
    return REGISTRY.get_sample_value("nearfield_spawns_total", labels) or 0.0


async def test_click_to_ready(lab: Lab, holds: Holds, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    spawner = lab.spawner()
    spawner.log = logging.getLogger("nearfield.test")
    before = spawns("small", "started")
    start = asyncio.create_task(spawner.start())
    job = await lab.submitted(spawner)
    await holds(lambda: spawner.stages.last.name is StageName.QUEUED)
    assert messages(spawner)[-1].startswith(
        "Waiting in the queue: position 1 of 1 in short; other jobs come first"
    )
    lab.scheduler.advance(1)
    await holds(lambda: spawner.stages.last.name is StageName.ALLOCATED)
    assert spawner.accept_stage(StageName.CONTAINER)
    assert spawner.accept_stage(StageName.SERVER)
    assert spawner.accept_stage(StageName.CHECKS), (
        "overtaken on the way: no error, and no step back"
    )
    assert not spawner.accept_stage(StageName.READY), "the node says only what it knows"
    assert spawner.accept_port(5000)
    assert not spawner.accept_port(5001)
    assert await start == "http://node1:5000"
    assert [stage.name for stage in spawner.stages] == [
        StageName.RIGHTS,
        StageName.SUBMITTED,
        StageName.QUEUED,
        StageName.ALLOCATED,
        StageName.CONTAINER,
        StageName.SERVER,
        StageName.READY,
    ]
    times = [stage.at for stage in spawner.stages]
    assert times == sorted(times)
    assert not spawner.accept_stage(StageName.CHECKS), "a running server has no stages"
    assert spawns("small", "started") == before + 1
    said = [getattr(record, "nearfield", {}) for record in caplog.records]
    assert {"event": "listening", "job": job.id.number}.items() <= {
        k: v for told in said if told.get("event") == "listening" for k, v in told.items()
    }.items()
    assert "event=stage user=alice profile=small cluster=lab" in caplog.text
    assert lab.token not in caplog.text
    assert "deprecated" not in caplog.text, "nothing of JupyterHub's that will be gone is used"
    assert lab.token not in str(said)


async def test_a_node_that_speaks_before_it_is_seen(lab: Lab, holds: Holds) -> None:
    """Its name is told first, and what it said after that in order."""
    lab.scheduler.fails["status"] = SchedulerUnavailableError("busy")
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    await lab.submitted(spawner)
    await holds(lambda: spawner.job is not None)
    for name in (StageName.SERVER, StageName.CHECKS, StageName.CONTAINER):
        assert spawner.accept_stage(name)
    assert spawner.accept_port(5000)
    lab.scheduler.advance(1)
    lab.scheduler.fails.clear()
    await start
    told = [stage.name for stage in spawner.stages]
    first = told.index(StageName.ALLOCATED)
    assert told[first:] == [
        StageName.ALLOCATED,
        StageName.CHECKS,
        StageName.CONTAINER,
        StageName.SERVER,
        StageName.READY,
    ]


async def test_a_requeued_launch_does_not_leave_a_stale_address(lab: Lab, holds: Holds) -> None:
    """Where it ran before it first spoke to us is not where it runs."""
    lab.scheduler.queue_seconds = 0
    lab.scheduler.host = "old"
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    job = await lab.submitted(spawner)
    await holds(lambda: "Node old allocated" in messages(spawner))
    job.host = "new"
    spawner.accept_port(5000)
    assert await start == "http://new:5000"


async def test_the_words_of_the_scheduler_and_no_job_to_look_for(lab: Lab) -> None:
    lab.scheduler.fails["submit"] = SubmitError("sbatch refused the job: Invalid account")
    spawner = lab.spawner()
    before = spawns("small", "submit")
    with pytest.raises(NotStartedError, match="Invalid account") as caught:
        await spawner.start()
    assert caught.value.reason == "submit"
    assert spawner.job_name == ""
    assert spawns("small", "submit") == before + 1


async def test_a_start_that_ends_says_why_and_what_to_do(lab: Lab) -> None:
    lab.scheduler.queue_seconds = 0
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    job = await lab.submitted(spawner)
    job.log = (
        "nearfield: nearfield-x on node1, profile small\n"
        "nearfield: not started (dataset-not-readable): dataset d1 cannot be read: /data/x\n"
    )
    lab.scheduler.finish(job.id, JobState.FAILED, 77)
    with pytest.raises(NotStartedError) as caught:
        await start
    assert caught.value.reason == "dataset-not-readable"
    message = str(caught.value)
    assert "Dataset d1 cannot be read: /data/x; choose other datasets" in message
    assert "on node1, profile small" in message, "the end of the log comes along"
    assert spawner.last_ending.kind == "dataset-not-readable"


async def test_a_word_of_a_log_is_no_label(lab: Lab) -> None:
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    job = await lab.submitted(spawner)
    job.log = "nearfield: not started (alice-was-here): <b>boo</b>"
    lab.scheduler.finish(job.id, JobState.FAILED, 77)
    with pytest.raises(NotStartedError) as caught:
        await start
    assert caught.value.reason == "node"


async def test_a_scheduler_that_is_down_refuses_with_its_reason(lab: Lab) -> None:
    lab.scheduler.fails["submit"] = SchedulerUnavailableError("sbatch: munged is down")
    with pytest.raises(NotStartedError, match="munged is down") as caught:
        await lab.spawner().start()
    assert caught.value.reason == "scheduler-unavailable"


async def test_a_scheduler_that_is_down_is_waited_for(lab: Lab, holds: Holds) -> None:
    lab.write("wait")
    down = SchedulerUnavailableError("squeue: munged is down")
    lab.scheduler.fails = {"find_all": down, "submit": down}
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    await holds(lambda: any("munged is down" in m for m in messages(spawner)))
    assert "submit" not in lab.scheduler.calls, "nothing is submitted into the dark"
    lab.scheduler.fails.clear()
    await lab.submitted(spawner)
    lab.scheduler.advance(1)
    spawner.accept_port(5000)
    assert await start == "http://node1:5000"
    assert len(lab.scheduler.jobs) == 1


async def test_a_lost_answer_makes_no_second_job(lab: Lab, holds: Holds) -> None:
    lab.write("wait")
    really = lab.scheduler.submit

    async def lost(spec: Any) -> Any:
        await really(spec)
        raise SchedulerUnavailableError("sbatch: Socket timed out")

    lab.scheduler.submit = lost  # type: ignore[method-assign]
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    await lab.submitted(spawner)
    lab.scheduler.advance(1)
    await holds(lambda: spawner.job is not None)
    spawner.accept_port(5000)
    assert await start == "http://node1:5000"
    assert len(lab.scheduler.jobs) == 1


async def test_an_outage_while_it_waits_ends_nothing(lab: Lab, holds: Holds) -> None:
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    await holds(lambda: spawner.stages.last and spawner.stages.last.name is StageName.QUEUED)
    lab.scheduler.fails["status"] = SchedulerUnavailableError("munged is down")
    await holds(lambda: "lab does not answer; your job is kept, waiting" in messages(spawner))
    lab.scheduler.fails.clear()
    lab.scheduler.advance(1)
    spawner.accept_port(5000)
    assert await start == "http://node1:5000"


async def test_an_owner_who_is_slow_is_no_scheduler_that_is_down(lab: Lab) -> None:
    lab.write("wait")

    async def nothing_yet(_wanted: Any) -> dict[Any, Any]:
        return {}

    lab.scheduler.find_all = nothing_yet
    spawner = lab.spawner()
    start = asyncio.create_task(spawner.start())
    assert (await lab.submitted(spawner)).spec.name == spawner.job_name
    assert not any("does not answer" in message for message in messages(spawner))
    start.cancel()
