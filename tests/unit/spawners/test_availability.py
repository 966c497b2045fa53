"""However many look at the page: one question a minute, and a bounded number of estimates."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nearfield.errors import SchedulerUnavailableError, SubmitError
from nearfield.scheduler import Availability, Hardware, JobSpec, SessionTask, StartRange
from nearfield.testing.fake_scheduler import EPOCH, FakeScheduler
from nearfield_spawners.availability import AvailabilityCache
from nearfield_spawners.estimates import AHEAD, Estimates, with_queue
from nearfield_spawners.hub_api.clusters import cluster_shown


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def spec(user: str = "alice", cores: int = 1) -> JobSpec:
    return JobSpec(
        name=f"nearfield-{secrets.token_hex(8)}",
        cluster="fake",
        user=user,
        profile="p",
        hardware=Hardware(cores=cores, partition="main"),
        task=SessionTask(),
    )


# ------------------------------------------------------------------ what is free


async def test_a_hundred_views_in_a_minute_are_one_question() -> None:
    scheduler, clock = FakeScheduler(), Clock()
    cache = AvailabilityCache(scheduler, clock=clock)
    await asyncio.gather(*(cache.look() for _ in range(50)))
    for _ in range(50):
        clock.now += 1
        assert (await cache.look()).told == scheduler.has
    assert scheduler.calls == ["availability"]
    clock.now = 60
    await cache.look()
    assert scheduler.calls == ["availability"] * 2


async def test_a_silent_cluster_is_not_asked_more_often_and_its_last_word_stays() -> None:
    scheduler, clock = FakeScheduler(), Clock()
    cache = AvailabilityCache(scheduler, clock=clock)
    first = await cache.look()
    scheduler.fails["availability"] = SchedulerUnavailableError("sinfo: munge is away")
    for _ in range(5):
        clock.now += 60
        for _ in range(10):
            look = await cache.look()
            assert (look.told, look.as_of, look.message) == (
                scheduler.has,
                first.as_of,
                "sinfo: munge is away",
            )
    assert len(scheduler.calls) == 6
    shown = cluster_shown(look)
    assert (shown.answers, shown.message) == (False, "sinfo: munge is away")
    assert shown.partitions["main"].cores_total == 8


async def test_the_first_to_ask_may_go_away() -> None:
    scheduler = FakeScheduler()
    cache = AvailabilityCache(scheduler)
    first = asyncio.create_task(cache.look())
    await asyncio.sleep(0)
    first.cancel()
    assert (await cache.look()).told == scheduler.has
    assert scheduler.calls == ["availability"]


# ------------------------------------------------------------------ when it would start


def estimates_of(**given: Any) -> Estimates:
    """Of a hub that lives when the fake scheduler does."""
    return Estimates(now=lambda: EPOCH, **given)


async def test_the_same_question_is_asked_once_a_minute_for_everybody() -> None:
    scheduler, clock = FakeScheduler(), Clock()
    estimates = estimates_of(clock=clock)
    users = [f"user{n}" for n in range(30)]
    found = await asyncio.gather(
        *(estimates.of(scheduler, spec(user), None) for user in users for _ in range(5))
    )
    assert len({one.start for one in found}) == 1
    assert found[0].start is not None
    assert scheduler.calls == ["estimate"]
    clock.now = 61
    await estimates.of(scheduler, spec(), None)
    assert len(scheduler.calls) == 2


async def test_one_user_cannot_ask_without_end() -> None:
    scheduler, clock = FakeScheduler(), Clock()
    estimates = estimates_of(per_user=3, in_all=5, clock=clock)
    found = [await estimates.of(scheduler, spec("alice", n), None) for n in range(1, 11)]
    assert [one.start is not None for one in found] == [True] * 3 + [False] * 7
    # Another user is not held up, until all together are too many.
    for n in range(20, 30):
        await estimates.of(scheduler, spec("bob", n), None)
    assert len(scheduler.calls) == 5
    await estimates.of(scheduler, spec("carol", 99), None)
    assert len(scheduler.calls) == 5
    # What is known is told also to who may not ask.
    assert (await estimates.of(scheduler, spec("alice", 1), None)).start is not None
    clock.now = 61
    assert (await estimates.of(scheduler, spec("alice", 50), None)).start is not None


async def test_a_refusal_is_that_users_own() -> None:
    scheduler = FakeScheduler(fails={"estimate": SubmitError("Invalid account")})
    estimates = estimates_of()
    assert (await estimates.of(scheduler, spec("alice"), None)).refused == "Invalid account"
    del scheduler.fails["estimate"]
    assert (await estimates.of(scheduler, spec("bob"), None)).start is not None


@pytest.mark.parametrize(
    "told",
    [
        StartRange(earliest=datetime(2099, 1, 1, tzinfo=UTC)),
        StartRange(earliest=EPOCH, latest=EPOCH + AHEAD + timedelta(seconds=1)),
        StartRange(earliest=EPOCH - timedelta(hours=1)),
    ],
)
async def test_what_no_scheduler_would_say_is_told_to_nobody_else(told: StartRange) -> None:
    class Lied(FakeScheduler):
        async def estimate(self, spec: JobSpec) -> StartRange:
            true = await super().estimate(spec)
            return told if spec.user == "mallory" else true

    scheduler, estimates = Lied(), estimates_of()
    for _ in range(3):
        assert (await estimates.of(scheduler, spec("mallory"), None)).start is not None
    assert scheduler.calls == ["estimate"]
    start = (await estimates.of(scheduler, spec("alice"), None)).start
    assert start is not None and start.earliest == EPOCH + timedelta(
        seconds=scheduler.queue_seconds
    )
    assert (await estimates.of(scheduler, spec("bob"), None)).start == start
    assert len(scheduler.calls) == 2


async def test_no_answer_is_no_estimate_and_no_second_question() -> None:
    scheduler = FakeScheduler(fails={"estimate": SchedulerUnavailableError("away")})
    estimates = estimates_of()
    for _ in range(5):
        found = await estimates.of(scheduler, spec(), None)
        assert (found.start, found.refused) == (None, "")
    assert scheduler.calls == ["estimate"]


async def test_a_page_does_not_wait_for_a_scheduler_that_hangs() -> None:
    class Hanging(FakeScheduler):
        async def estimate(self, spec: JobSpec) -> StartRange:
            self.calls.append("estimate")
            return await asyncio.Future()

    scheduler, estimates = Hanging(), estimates_of(patience=0.01)
    for _ in range(3):
        assert (await estimates.of(scheduler, spec(), None)).start is None
    assert scheduler.calls == ["estimate"]


async def test_one_users_slow_launchers_keep_nobody_else_from_an_estimate() -> None:
    go = asyncio.Event()

    class Stopped(FakeScheduler):
        async def estimate(self, spec: JobSpec) -> StartRange:
            if spec.user == "mallory":
                await go.wait()
            return await super().estimate(spec)

    scheduler, estimates = Stopped(), Estimates()
    held = [
        asyncio.create_task(estimates.of(scheduler, spec("mallory", cores), None))
        for cores in range(1, 6)
    ]
    await asyncio.sleep(0)
    told = await asyncio.wait_for(estimates.of(scheduler, spec("alice", 9), None), 5)
    assert told.start is not None
    go.set()
    await asyncio.gather(*held)


def test_those_who_wait_already_may_come_first() -> None:
    at, later = EPOCH, EPOCH + timedelta(hours=2)
    told = StartRange(earliest=at)
    waiting = Availability(pending={"main": 3}, last_start={"main": later})
    assert with_queue(told, spec(), waiting).latest == later
    # Nobody can say when those will start: then nobody can say it of this one.
    assert with_queue(told, spec(), Availability(pending={"main": 3})).latest is None
    assert with_queue(told, spec(), Availability(pending={"other": 3})).latest == at
    assert with_queue(told, spec(), None).latest is None
    late = StartRange(earliest=later + timedelta(hours=1))
    assert with_queue(late, spec(), waiting).latest == late.earliest
