"""What the supervisor decides, from what it sees: no clock, no Slurm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nearfield.workers.supervising import (
    REFUSED,
    UNAVAILABLE,
    Asked,
    Decision,
    Memory,
    Pace,
    Seen,
    decide,
)

NOW = 10_000.0
HOUR = 3600.0
PACE = Pace()
FOUR = Asked(wanted=4, most=8, length=HOUR)
ONE = replace(FOUR, wanted=1)


def working(name: str, since: float = 1000.0, left: float = HOUR / 2, **more: object) -> Seen:
    """Its worker came so many seconds ago, its job ends in so many."""
    came = NOW - since
    seen = Seen(name, came - 60, "running", came - 30, NOW + left, came)
    return replace(seen, **more)


def failed(name: str, **more: object) -> Seen:
    return replace(Seen(name, NOW - 30, "failed", words="no such image"), **more)


def test_what_is_missing_is_started() -> None:
    assert decide([], FOUR, Memory(), NOW).start == 4
    assert decide([working("w1"), Seen("w2", NOW)], FOUR, Memory(), NOW).start == 2
    assert decide([working(f"w{i}") for i in range(4)], FOUR, Memory(), NOW) == Decision()


def test_no_more_than_there_may_be() -> None:
    assert decide([], replace(FOUR, wanted=4, most=3), Memory(), NOW).start == 3


@pytest.mark.parametrize("state", ["running", "unknown", "suspended", "completing"])
def test_nothing_is_over_that_slurm_does_not_say_is_over(state: str) -> None:
    seen = Seen("w1", NOW - 60, state, NOW - 50)
    assert decide([seen], ONE, Memory(), NOW) == Decision()


def test_a_worker_that_slurm_knows_nothing_of_works_on() -> None:
    assert decide([working("w1", state="unknown")], ONE, Memory(), NOW) == Decision()
    lost = working("w1", state="unknown", gone=NOW - 500)
    assert decide([lost], ONE, Memory(), NOW) == Decision()  # a new one could not start either


@pytest.mark.parametrize("state", ["node_fail", "preempted", "timeout", "out_of_memory"])
def test_a_job_that_is_lost_is_started_again_at_once(state: str) -> None:
    found = decide([working("w1", state=state, gone=NOW)], ONE, Memory(), NOW)
    assert (found.drop, found.start, found.memory.failures) == (("w1",), 1, 0)


def test_a_worker_that_is_away_for_a_moment_may_come_back() -> None:
    assert decide([working("w1", gone=NOW - 10)], ONE, Memory(), NOW) == Decision()
    found = decide([working("w1", gone=NOW - 15)], ONE, Memory(), NOW)
    assert (found.drop, found.start) == (("w1",), 1)


def test_a_job_whose_worker_does_not_come_has_failed() -> None:
    seen = Seen("w1", NOW - 300, "running", NOW - PACE.arrive + 1)
    assert decide([seen], ONE, Memory(), NOW) == Decision()
    found = decide([seen], ONE, Memory(), NOW + 1)
    assert (found.drop, found.start, found.memory.failures) == (("w1",), 0, 1)
    assert "did not come within 180 s" in found.memory.words


def test_after_a_failure_it_is_tried_again_later_and_later() -> None:
    memory, now, waits = Memory(), NOW, []
    for _ in range(PACE.tries - 1):
        found = decide([failed("w1", asked=now)], ONE, memory, now)
        assert (found.drop, found.start) == (("w1",), 0)
        memory, begun = found.memory, now
        while not decide([], ONE, memory, now).start:
            now += 1
        waits.append(now - begun)
    assert waits == [5, 10, 20]
    found = decide([failed("w1", asked=now)], ONE, memory, now)
    assert found.memory.ended == "its workers cannot be started: w1: no such image"
    assert decide([], ONE, found.memory, now + HOUR).start == 0


def test_jobs_that_fail_together_are_one_failure() -> None:
    seen = [failed(f"w{i}") for i in range(4)]
    memory = decide(seen[:2], FOUR, Memory(), NOW).memory
    memory = decide(seen[2:], FOUR, memory, NOW + 3).memory
    assert memory.failures == 1


def test_with_some_workers_it_goes_on_without_the_others() -> None:
    memory = Memory(failures=PACE.tries - 1, counted=NOW - 60)
    found = decide([working("w1"), failed("w2")], FOUR, memory, NOW)
    assert (found.start, found.memory.ended) == (0, None)
    again = decide([working("w1")], FOUR, found.memory, NOW + HOUR)
    assert (again.start, again.memory.ended) == (0, None)
    last = decide([working("w1", state="timeout")], FOUR, found.memory, NOW + HOUR)
    assert last.memory.ended is not None


def test_a_worker_that_dies_as_soon_as_it_comes_has_failed_too() -> None:
    found = decide([working("w1", since=20, state="failed", gone=NOW)], ONE, Memory(), NOW)
    assert found.memory.failures == 1


def test_failures_are_forgotten_when_a_later_job_works() -> None:
    memory = Memory(failures=2, counted=NOW - 500, words="…")
    old = working("w1", since=2000)
    assert decide([old], ONE, memory, NOW).memory.failures == 2
    assert decide([working("w2", since=30)], ONE, memory, NOW).memory.failures == 2
    assert decide([working("w2", since=300)], ONE, memory, NOW).memory == replace(
        Memory(), counted=memory.counted
    )


def test_one_that_was_refused_for_good_is_not_tried_again() -> None:
    refused = Seen("w1", NOW, REFUSED, words="no such partition")
    found = decide([refused], ONE, Memory(), NOW)
    assert found.memory.ended == "its workers cannot be started: w1: no such partition"
    beside = decide([refused, working("w2")], FOUR, Memory(), NOW)
    assert (beside.start, beside.memory.ended) == (0, None)


def test_slurm_being_away_is_nobodys_failure() -> None:
    memory, now = Memory(), NOW
    for _ in range(20):
        found = decide([Seen("w1", now, UNAVAILABLE, words="…")], ONE, memory, now)
        assert (found.start, found.memory.failures, found.memory.ended) == (0, 0, None)
        memory, now = found.memory, now + 5
        assert decide([], ONE, memory, now).start == 1


def test_all_cancelled_from_outside_is_the_end() -> None:
    seen = [working(f"w{i}", state="cancelled") for i in range(2)]
    found = decide(seen, replace(FOUR, wanted=2), Memory(), NOW)
    assert found.memory.ended == "all its jobs were cancelled from outside (scancel)"
    assert (set(found.drop), found.start) == ({"w0", "w1"}, 0)


def test_cancelled_one_after_the_other_is_the_end_too() -> None:
    two = replace(FOUR, wanted=2)
    first = decide([working("w1", state="cancelled"), working("w2")], two, Memory(), NOW)
    assert (first.start, first.memory.ended) == (0, None)
    last = decide([working("w2", state="cancelled")], two, first.memory, NOW + 6)
    assert last.memory.ended is not None


def test_one_of_them_cancelled_is_started_again() -> None:
    two = replace(FOUR, wanted=2)
    found = decide([working("w1", state="cancelled"), working("w2")], two, Memory(), NOW)
    assert decide([working("w2")], two, found.memory, NOW + PACE.hold).start == 1


def test_a_successor_comes_before_the_limit_and_then_it_leaves() -> None:
    lead = PACE.start + PACE.leave
    assert decide([working("w1", left=lead + 1)], ONE, Memory(), NOW) == Decision()
    old = working("w1", left=lead - 1)
    found = decide([old], ONE, Memory(), NOW)
    assert (found.start, found.leave, found.drop) == (1, (), ())
    waiting = Seen("w2", NOW)
    assert decide([old, waiting], ONE, Memory(), NOW) == Decision()
    found = decide([old, working("w2", since=1, left=HOUR)], ONE, Memory(), NOW)
    assert (found.start, found.leave) == (0, ("w1",))
    told = replace(old, leaving=True)
    assert decide([told, working("w2", left=HOUR)], ONE, Memory(), NOW) == Decision()


def test_a_long_queue_makes_it_earlier() -> None:
    old = working("w1", left=1000)
    assert decide([old], ONE, Memory(), NOW).start == 0
    assert decide([old], replace(ONE, wait=900), Memory(), NOW).start == 1


def test_without_a_successor_it_leaves_before_its_limit_all_the_same() -> None:
    seen = [working("w1", left=PACE.leave - 1), working("w2"), Seen("w3", NOW)]
    assert decide(seen, replace(FOUR, wanted=2), Memory(), NOW).leave == ("w1",)


def test_two_that_expire_leave_one_by_one() -> None:
    two = replace(FOUR, wanted=2)
    old = [working("w1", left=120), working("w2", left=110)]
    found = decide([*old, working("w3", left=HOUR), Seen("w4", NOW)], two, Memory(), NOW)
    assert found.leave == ("w2",)


def test_a_job_as_short_as_the_time_to_start_one_is_not_replaced_at_once() -> None:
    short = replace(ONE, length=60.0)
    new = Seen("w1", NOW, "running", NOW, NOW + 60, NOW)
    assert decide([new], short, Memory(), NOW).start == 0
    assert decide([new], short, Memory(), NOW + 16).start == 1


def test_nothing_is_replaced_that_ends_with_the_session() -> None:
    ending = replace(ONE, session_ends=NOW + 100)
    assert decide([working("w1", left=90)], ending, Memory(), NOW) == Decision()
    assert decide([working("w1", left=40)], replace(ending, session_ends=NOW + 40),
                  Memory(), NOW) == Decision()  # fmt: skip


def test_nothing_is_started_when_the_session_is_about_to_end() -> None:
    ending = replace(ONE, session_ends=NOW + 30)
    assert decide([working("w1"), Seen("w2", NOW)], replace(ending, wanted=3), Memory(), NOW) == (
        Decision()
    )
    assert decide([], ending, Memory(), NOW).memory.ended == "its session ends in a moment"


def test_what_is_too_much_goes_and_those_that_wait_go_first() -> None:
    seen = [working("w1", since=900), working("w2", since=100), Seen("w3", NOW - 5)]
    found = decide(seen, replace(FOUR, wanted=2), Memory(), NOW)
    assert (found.drop, found.leave) == (("w3",), ())
    found = decide(seen, ONE, Memory(), NOW)
    assert (found.drop, found.leave) == (("w3",), ("w2",))
    assert decide([], replace(ONE, wanted=0), Memory(), NOW) == Decision()


def test_one_that_left_as_it_was_told_has_not_failed() -> None:
    seen = working("w1", since=20, state="completed", gone=NOW, leaving=True)
    found = decide([seen], ONE, Memory(), NOW)
    assert (found.drop, found.start, found.memory.failures) == (("w1",), 1, 0)


@pytest.mark.parametrize(("queue", "length"), [(0, 600), (200, 1200), (30, 120)])
def test_a_day_of_short_jobs(queue: float, length: float) -> None:
    """A queue of its own clock: nobody is ever without a worker, no job is one too many."""
    asked = Asked(wanted=2, most=4, length=length, wait=queue)
    jobs: list[Seen] = []
    memory, now, numbers = Memory(), 0.0, iter(range(10**6))
    for _ in range(int(86_400 / 5)):
        jobs = [_lived(job, now, queue, length) for job in jobs]
        found = decide(jobs, asked, memory, now)
        memory = found.memory
        assert memory.ended is None
        jobs = [replace(job, leaving=job.leaving or job.name in found.leave) for job in jobs]
        # It has given its results away by the next look.
        gone = {job.name for job in jobs if job.leaving and job.name not in found.leave}
        jobs = [job for job in jobs if job.name not in {*found.drop, *gone}]
        jobs += [Seen(f"w{next(numbers)}", now) for _ in range(found.start)]
        assert len(jobs) <= 4
        if now > queue + 60:
            assert any(job.there and not job.leaving for job in jobs)
        now += 5
    ideal = 2 * 86_400 / length
    assert next(numbers) < 2.5 * ideal


def _lived(job: Seen, now: float, queue: float, length: float) -> Seen:
    begun = job.asked + queue
    if job.state == "pending" and now >= begun:
        job = replace(job, state="running", began=begun, ends=begun + length)
    if job.ends is not None and now >= job.ends:
        return replace(job, state="timeout", gone=now)
    if job.arrived is None and job.began is not None and now >= job.began + 20:
        return replace(job, arrived=now)
    return job
