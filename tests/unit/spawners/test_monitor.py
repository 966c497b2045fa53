"""One look for all, a rest after each, and a failed look is never an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import JobId, JobState, JobStatus, QueuedJob
from nearfield_spawners.monitor import REST, QueueMonitor


class Counting:
    """A scheduler of which the monitor's questions are counted. A look takes ``costs`` seconds."""

    cluster = "c"

    def __init__(self) -> None:
        self.now = 1000.0
        self.costs = 0.0
        self.looks: list[int] = []
        self.listings = 0
        self.searches: list[int] = []
        self.states: dict[str, JobState] = {}
        self.broken = False

    async def status(self, ids: Iterable[JobId]) -> dict[JobId, JobStatus]:
        asked = list(ids)
        self.looks.append(len(asked))
        await asyncio.sleep(0)
        self.now += self.costs
        if self.broken:
            raise SchedulerUnavailableError("munged is down")
        return {j: JobStatus(state=self.states.get(j.number, JobState.RUNNING)) for j in asked}

    async def queue(self) -> tuple[QueuedJob, ...]:
        self.listings += 1
        return (QueuedJob(number="1", partitions=("short",), priority=7),)

    async def find_all(
        self, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], JobId | None]:
        asked = list(wanted)
        self.searches.append(len(asked))
        if self.broken:
            raise SchedulerUnavailableError("munged is down")
        return {key: job(int(key[1])) for key in asked if key[1] != "0"}


def job(number: int) -> JobId:
    return JobId(cluster="c", user="alice", number=str(number))


@pytest.fixture
def scheduler() -> Counting:
    return Counting()


@pytest.fixture
async def watch(scheduler: Counting) -> AsyncIterator[QueueMonitor]:
    """A monitor by the scheduler's own clock, which stands still unless a test moves it."""
    monitor = QueueMonitor(
        scheduler,  # type: ignore[arg-type]
        least_seconds=0.0,
        clock=lambda: scheduler.now,
    )
    yield monitor
    monitor.close()


async def settle(times: int = 20) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def later(scheduler: Counting, monitor: QueueMonitor, seconds: float) -> None:
    """The clock moves on, and the monitor, which sleeps by the real one, is woken to see it."""
    scheduler.now += seconds
    monitor._wake.set()
    await settle()


async def test_many_that_ask_share_looks(scheduler: Counting, watch: QueueMonitor) -> None:
    found = await asyncio.gather(*(watch.look(job(n)) for n in range(200)))
    assert {s.state for s in found} == {JobState.RUNNING}
    first = len(scheduler.looks)
    assert first <= 2
    await asyncio.gather(*(watch.look(job(n)) for n in range(200)))
    assert len(scheduler.looks) == first, "a fresh answer is not asked for again"


@pytest.mark.parametrize("servers", [1, 50, 200])
async def test_the_same_number_of_looks_for_one_and_for_many(
    scheduler: Counting, watch: QueueMonitor, servers: int
) -> None:
    jobs = [job(n) for n in range(servers)]
    await asyncio.gather(*(watch.look(j) for j in jobs))
    scheduler.looks.clear()
    for _ in range(600):  # ten minutes, and each server is polled twice a minute
        await later(scheduler, watch, 1.0)
        await asyncio.gather(*(watch.look(j) for j in jobs[::30]))
    assert len(scheduler.looks) == 20
    assert scheduler.listings == 0


async def test_faster_while_somebody_waits(scheduler: Counting, watch: QueueMonitor) -> None:
    await watch.look(job(1), urgent=True)
    scheduler.looks.clear()
    for _ in range(10):
        await later(scheduler, watch, 1.0)
    assert len(scheduler.looks) == 10
    watch.watch(job(1), urgent=False)
    scheduler.looks.clear()
    for _ in range(60):
        await later(scheduler, watch, 1.0)
    assert len(scheduler.looks) == 2


async def test_a_slow_queue_is_left_alone_longer(scheduler: Counting, watch: QueueMonitor) -> None:
    scheduler.costs = 2.0
    await watch.look(job(1), urgent=True)
    looks = len(scheduler.looks)
    watch.hurry()
    await later(scheduler, watch, REST * 2.0 - 1)
    assert len(scheduler.looks) == looks, "even news waits"
    await later(scheduler, watch, 1.0)
    assert len(scheduler.looks) == looks + 1


async def test_a_controller_that_hung_for_a_moment_is_asked_again_soon(
    scheduler: Counting, watch: QueueMonitor
) -> None:
    """One late answer does not keep everybody's starts waiting; two of them do."""
    scheduler.costs = 0.01
    await watch.look(job(1), urgent=True)
    for costs, rest in ((4.0, 0.01), (4.0, 4.0), (0.01, 0.01)):
        scheduler.costs = costs
        looks = len(scheduler.looks)
        await later(scheduler, watch, max(1.0, watch.due_in))
        assert len(scheduler.looks) == looks + 1
        watch.hurry()
        assert watch.due_in == pytest.approx(REST * rest)


async def test_the_rest_is_measured_by_the_look_for_all(
    scheduler: Counting, watch: QueueMonitor
) -> None:
    """What is asked as an owner, of a job that ended, goes through sudo and takes longer."""
    scheduler.costs, scheduler.squeue_seconds = 2.0, 0.01  # type: ignore[attr-defined]
    await watch.look(job(1), urgent=True)
    watch.hurry()
    assert watch.due_in == pytest.approx(REST * 0.01)


async def test_a_new_job_is_given_time_to_speak_first(
    scheduler: Counting, watch: QueueMonitor
) -> None:
    """A look right after the submit would only bring the rest that follows it."""
    scheduler.costs = 0.2
    watch.watch(job(1), urgent=True, patience=3.0)
    await later(scheduler, watch, 0.8)
    assert scheduler.looks == []
    watch.hurry()  # the job has spoken
    await later(scheduler, watch, 0.0)
    assert scheduler.looks == [1]
    watch.watch(job(2), urgent=True, patience=3.0)
    for _ in range(8):
        await later(scheduler, watch, 1.0)
    assert scheduler.looks == [1, 2], "one that keeps silent is looked at all the same"


async def test_an_outage_does_not_make_the_rest_last_for_minutes(
    scheduler: Counting, watch: QueueMonitor
) -> None:
    await watch.look(job(1), urgent=True)
    scheduler.broken, scheduler.costs = True, 15.0
    await later(scheduler, watch, 1.0)
    assert not watch.answers
    assert watch.due_in == watch.slow_seconds
    assert watch.age >= 15.0


async def test_news(scheduler: Counting, watch: QueueMonitor) -> None:
    assert (await watch.look(job(1))).state is JobState.RUNNING
    scheduler.states["1"] = JobState.NODE_FAIL
    assert (await watch.look(job(1))).state is JobState.RUNNING
    assert (await watch.fresh(job(1))).state is JobState.NODE_FAIL


async def test_an_end_is_told_at_once(scheduler: Counting, watch: QueueMonitor) -> None:
    heard: list[JobState] = []
    await watch.look(job(1), lambda status: heard.append(status.state))
    scheduler.states["1"] = JobState.NODE_FAIL
    await later(scheduler, watch, watch.slow_seconds)
    assert heard == [JobState.RUNNING, JobState.NODE_FAIL]


async def test_a_failed_look_is_unknown_and_what_was_over_stays_over(
    scheduler: Counting, watch: QueueMonitor
) -> None:
    scheduler.states["2"] = JobState.COMPLETED
    await watch.look(job(1))
    await watch.look(job(2))
    scheduler.broken = True
    assert (await watch.fresh(job(1))).state is JobState.UNKNOWN
    assert (await watch.look(job(2))).state is JobState.COMPLETED
    known = watch.known(job(1))
    assert known is not None
    assert known.state is JobState.RUNNING, "what was known before is not wiped out"


async def test_nothing_watched_nothing_asked(scheduler: Counting, watch: QueueMonitor) -> None:
    scheduler.states["1"] = JobState.FAILED
    await watch.look(job(1))
    await watch.look(job(2))
    await watch.fresh(job(2))
    assert scheduler.looks[-1] == 1, "a job that is over is not asked for again"
    watch.forget(job(1))
    watch.forget(job(2))
    assert (await watch.fresh(job(2))).reason == "not watched"
    scheduler.looks.clear()
    await later(scheduler, watch, 1000.0)
    assert scheduler.looks == []
    assert watch.age == 0.0


async def test_lost_submits_share_one_question(scheduler: Counting, watch: QueueMonitor) -> None:
    found = await asyncio.gather(*(watch.find("alice", str(n)) for n in range(1, 101)))
    assert found == [job(n) for n in range(1, 101)]
    assert scheduler.searches == [100]


async def test_a_question_that_nobody_answers(scheduler: Counting, watch: QueueMonitor) -> None:
    with pytest.raises(SchedulerUnavailableError, match="has not answered yet"):
        await watch.find("alice", "0")
    scheduler.broken = True
    with pytest.raises(SchedulerUnavailableError, match="munged"):
        await watch.find("alice", "1")


async def test_the_queue_is_listed_only_while_one_of_ours_waits(
    scheduler: Counting, watch: QueueMonitor
) -> None:
    scheduler.states = {str(n): JobState.PENDING for n in range(1, 51)}
    await asyncio.gather(*(watch.look(job(n), urgent=True) for n in range(1, 51)))
    for _ in range(60):
        await later(scheduler, watch, 1.0)
    assert scheduler.listings in {4, 5}, "one listing in 15 s for fifty that wait"
    assert watch.queue.place("1") == (1, 1, "short")
    scheduler.states = {}
    await later(scheduler, watch, 1.0)
    listings = scheduler.listings
    for _ in range(60):
        await later(scheduler, watch, 1.0)
    assert scheduler.listings == listings


async def test_a_listener_may_forget(scheduler: Counting, watch: QueueMonitor) -> None:
    def forget(other: int) -> Callable[[JobStatus], None]:
        return lambda _: watch.forget(job(other))

    watch.watch(job(1), forget(2))
    watch.watch(job(2), forget(1))
    await settle()
    assert watch.watched == 1


async def test_a_closed_monitor_leaves_nobody_waiting(
    scheduler: Counting, watch: QueueMonitor
) -> None:
    hold = asyncio.Event()

    async def find_all(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], JobId | None]:
        await hold.wait()
        return {}

    scheduler.find_all = find_all  # type: ignore[method-assign]
    asked = asyncio.create_task(watch.find("alice", "1"))
    await settle()  # its question is on the way
    sought = asyncio.create_task(watch.find("alice", "2"))
    looked = asyncio.create_task(watch.look(job(3)))
    await settle()
    watch.close()
    for waiting in (asked, sought, looked):
        with pytest.raises(SchedulerUnavailableError, match="has just changed"):
            await asyncio.wait_for(waiting, 1)
    with pytest.raises(SchedulerUnavailableError):
        await watch.find("alice", "3")


async def test_another_monitor_goes_on_with_the_jobs_of_a_closed_one(
    scheduler: Counting, watch: QueueMonitor
) -> None:
    heard: list[JobState] = []
    watch.watch(job(1), lambda status: heard.append(status.state), urgent=True)
    await settle()
    fresh = asyncio.create_task(watch.fresh(job(1)))
    other = Counting()
    other.states["1"] = JobState.COMPLETED
    heir = QueueMonitor(other, least_seconds=0.0, clock=lambda: other.now)  # type: ignore[arg-type]
    watch.close(heir)
    status = await asyncio.wait_for(fresh, 1)
    assert status.state is JobState.COMPLETED
    assert heard == [JobState.RUNNING, JobState.COMPLETED]
    heir.close()


async def test_a_listener_that_fails_ends_nobody_elses_look(
    scheduler: Counting, watch: QueueMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: JobStatus) -> None:
        raise OverflowError("year 0 is out of range")

    heard: list[JobStatus] = []
    watch.watch(job(1), fails)
    watch.watch(job(2), heard.append)
    assert (await asyncio.wait_for(watch.look(job(2)), 5)).state is JobState.RUNNING
    await later(scheduler, watch, 60.0)
    assert len(scheduler.looks) > 1
    assert heard == [JobStatus(state=JobState.RUNNING)]
    assert "what is new of it could not be taken in" in caplog.text
