"""One look for all, and a failed look is never an end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import JobId, JobState, JobStatus
from nearfield_spawners.monitor import QueueMonitor


class Counting:
    """A scheduler of which only ``status`` is asked."""

    cluster = "c"

    def __init__(self) -> None:
        self.looks: list[int] = []
        self.states: dict[str, JobState] = {}
        self.broken = False

    async def status(self, ids: Iterable[JobId]) -> dict[JobId, JobStatus]:
        asked = list(ids)
        self.looks.append(len(asked))
        await asyncio.sleep(0)
        if self.broken:
            raise SchedulerUnavailableError("munged is down")
        return {j: JobStatus(state=self.states.get(j.number, JobState.RUNNING)) for j in asked}


def job(number: int) -> JobId:
    return JobId(cluster="c", user="alice", number=str(number))


def monitor(scheduler: Counting) -> QueueMonitor:
    return QueueMonitor(scheduler, least_seconds=0.0)  # type: ignore[arg-type]


async def test_many_that_ask_share_looks() -> None:
    scheduler = Counting()
    watch = monitor(scheduler)
    found = await asyncio.gather(*(watch.look(job(n)) for n in range(200)))
    assert {s.state for s in found} == {JobState.RUNNING}
    first = len(scheduler.looks)
    assert first <= 2
    await asyncio.gather(*(watch.look(job(n)) for n in range(200)))
    assert len(scheduler.looks) == first, "a fresh answer is not asked for again"


@pytest.mark.parametrize("urgent", [True, False])
async def test_interval(urgent: bool) -> None:
    scheduler = Counting()
    watch = monitor(scheduler)
    watch.fast_seconds, watch.slow_seconds = 0.0, 1000.0
    for _ in range(3):
        await watch.look(job(1), urgent=urgent)
    assert len(scheduler.looks) == (3 if urgent else 1)


async def test_news() -> None:
    scheduler = Counting()
    watch = monitor(scheduler)
    assert (await watch.look(job(1))).state is JobState.RUNNING
    scheduler.states["1"] = JobState.NODE_FAIL
    assert (await watch.look(job(1))).state is JobState.RUNNING
    watch.expire()
    assert (await watch.look(job(1))).state is JobState.NODE_FAIL


async def test_a_failed_look_is_unknown_and_what_was_over_stays_over() -> None:
    scheduler = Counting()
    watch = monitor(scheduler)
    scheduler.states["2"] = JobState.COMPLETED
    await watch.look(job(1))
    await watch.look(job(2))
    scheduler.broken = True
    watch.expire()
    assert (await watch.look(job(1))).state is JobState.UNKNOWN
    assert (await watch.look(job(2))).state is JobState.COMPLETED


async def test_a_job_that_is_over_is_not_asked_for_again() -> None:
    scheduler = Counting()
    watch = monitor(scheduler)
    scheduler.states["1"] = JobState.FAILED
    await watch.look(job(1))
    await watch.look(job(2))
    watch.expire()
    await watch.look(job(2))
    assert scheduler.looks[-1] == 1
    watch.forget(job(1))
    assert job(1) not in watch._watched
