"""A job that could not be cancelled is not forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nearfield.errors import SchedulerUnavailableError, UnknownNameError
from nearfield.scheduler import JobId
from nearfield_spawners import leftovers
from nearfield_spawners.leftovers import Leftover, Leftovers
from nearfield_spawners.monitor import NotToldYetError

Holds = Callable[[Callable[[], bool]], Awaitable[None]]


class Outage:
    """A scheduler that may be away."""

    def __init__(self) -> None:
        self.away = True
        self.asked = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.cancelled: list[JobId] = []
        self.known: dict[str, JobId] = {}
        self.begun: set[str] = set()
        """Names that a submit has taken."""

    async def find(self, user: str, name: str) -> JobId | None:
        self._answer()
        return self.known.get(name)

    async def cancel(self, job: JobId) -> None:
        self.asked += 1
        await self.hold.wait()
        self._answer()
        self.cancelled.append(job)

    async def withdraw(self, user: str, name: str) -> bool:
        self._answer()
        return name not in self.begun

    def _answer(self) -> None:
        if self.away:
            raise SchedulerUnavailableError("no answer")


def make(outage: Outage) -> tuple[Leftovers, list[list[dict[str, Any]]]]:
    saved: list[list[dict[str, Any]]] = []
    kept = Leftovers(
        lambda _: outage,  # type: ignore[arg-type,return-value]
        lambda: saved.append(kept.dump()),
        pause_seconds=0.01,
    )
    return kept, saved


async def test_cancelled_once_the_scheduler_is_back(holds: Holds) -> None:
    outage = Outage()
    kept, saved = make(outage)
    kept.add(Leftover(cluster="c", user="alice", name="nf-1", number="17"))
    kept.add(Leftover(cluster="c", user="alice", name="nf-2"))
    await holds(lambda: outage.asked > 2)
    assert len(kept) == 2
    assert [entry["name"] for entry in saved[-1]] == ["nf-1", "nf-2"]
    outage.known["nf-2"] = JobId(cluster="c", user="alice", number="18")
    outage.away = False
    await asyncio.wait_for(kept.settled(), 5)
    assert [job.number for job in outage.cancelled] == ["17", "18"]
    assert saved[-1] == []


async def test_a_new_hub_goes_on() -> None:
    outage = Outage()
    first, saved = make(outage)
    first.add(Leftover(cluster="c", user="alice", name="nf-1", number="17"))
    second, _ = make(outage)
    second.load(saved[-1])
    outage.away = False
    await second.try_once("c")
    assert len(second) == 0
    assert outage.cancelled[0].number == "17"
    await asyncio.wait_for(first.settled(), 30)


async def test_a_job_that_never_was_is_dropped() -> None:
    outage = Outage()
    outage.away = False
    kept, _ = make(outage)
    kept.add(Leftover(cluster="c", user="alice", name="nf-3"))
    await kept.try_once("c")
    assert len(kept) == 0
    assert outage.cancelled == []


async def test_a_submit_that_has_begun_is_waited_for_however_long_ago_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outage = Outage()
    outage.away = False
    outage.begun.add("nf-4")
    left = Leftover(cluster="c", user="alice", name="nf-4")
    now = 1e9
    monkeypatch.setattr(leftovers.time, "time", lambda: now)
    for seconds in (0, 95):
        now = 1e9 + seconds
        with pytest.raises(SchedulerUnavailableError, match="under way"):
            await left.end(outage)  # type: ignore[arg-type]
    now = 1e9 + 101
    await left.end(outage)  # type: ignore[arg-type]
    assert outage.cancelled == []


async def test_each_is_tried_ever_less_often() -> None:
    outage, now = Outage(), 1000.0
    kept = Leftovers(
        lambda _: outage,  # type: ignore[arg-type,return-value]
        lambda: None,
        clock=lambda: now,
    )
    kept.load([Leftover(cluster="c", user="alice", name="nf-1", number="17").model_dump()])
    tries = []
    while now < 1000 + 3600:
        before = outage.asked
        await kept.try_once("c")
        if outage.asked > before:
            tries.append(now - 1000)
        now += 10
    assert tries == [0, 20, 60, 140, 300, 620, 1220, 1820, 2420, 3020]
    outage.away, now = False, now + 600
    await kept.try_once("c")
    assert len(kept) == 0


async def test_one_at_a_time_on_a_cluster_which_keeps_no_other_waiting() -> None:
    away, near = Outage(), Outage()
    away.away, away.hold, near.away = False, asyncio.Event(), False
    kept = Leftovers(
        lambda cluster: away if cluster == "c" else near,  # type: ignore[arg-type,return-value]
        lambda: None,
        pause_seconds=0.01,
    )
    for n in range(20):
        for cluster in ("c", "near"):
            name = f"nf-{cluster}-{n}"
            kept.add(Leftover(cluster=cluster, user="alice", name=name, number=str(n)))
    for _ in range(200):
        await asyncio.sleep(0)
    assert (away.asked, len(near.cancelled)) == (1, 20)
    away.hold.set()
    await asyncio.wait_for(kept.settled(), 5)
    assert len(away.cancelled) == 20


async def test_one_that_fails_in_another_way_keeps_no_other_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = Outage()
    outage.away = False
    kept, _ = make(outage)

    async def broken(_: Any) -> None:
        outage.cancel = Outage.cancel.__get__(outage)  # type: ignore[method-assign]
        raise RuntimeError("broken")

    outage.cancel = broken  # type: ignore[method-assign]
    kept.add(Leftover(cluster="c", user="alice", name="nf-1", number="17"))
    kept.add(Leftover(cluster="c", user="alice", name="nf-2", number="18"))
    await asyncio.wait_for(kept.settled(), 5)
    assert [job.number for job in outage.cancelled] == ["18", "17"]
    assert "job nf-1 still cannot be cancelled: RuntimeError('broken')" in caplog.text


async def test_a_cluster_that_nearfield_yaml_lacks_for_a_moment_loses_no_job(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage, known = Outage(), set[str]()
    outage.away = False

    def scheduler(cluster: str) -> Any:
        if cluster not in known:
            raise UnknownNameError("cluster", cluster, known)
        return outage

    kept = Leftovers(scheduler, lambda: None, pause_seconds=0.01)
    kept.load([Leftover(cluster="c", user="alice", name="nf-1", number="17").model_dump()])
    await kept.try_once("c")
    assert len(kept) == 1
    assert "job nf-1 still cannot be cancelled: " in caplog.text
    known.add("c")
    kept.go_on()
    await asyncio.wait_for(kept.settled(), 5)
    assert [job.number for job in outage.cancelled] == ["17"]


async def test_given_up_once_its_own_limit_has_ended_it(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    kept, saved = make(outage)
    kept.load(
        [
            Leftover(cluster="c", user="alice", name="nf-1", number="17", over=1.0).model_dump(),
            {"cluster": "c", "user": "alice", "name": "nf-2", "number": "18"},
        ]
    )
    await kept.try_once("c")
    assert "job nf-1 is given up: no answer" in caplog.text
    assert [entry["name"] for entry in saved[-1]] == ["nf-2"]


async def test_one_that_cannot_be_read_is_told_and_the_others_are_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept, _ = make(Outage())
    good = Leftover(cluster="c", user="alice", name="nf-1", number="17").model_dump()
    kept.load([{"cluster": "c"}, good])
    assert [entry["name"] for entry in kept.dump()] == ["nf-1"]
    assert "a leftover is given up" in caplog.text


async def test_an_owner_who_is_slow_is_waited_for_here() -> None:
    async def slow(_cluster: str, _user: str, _name: str) -> JobId | None:
        raise NotToldYetError("its owner has not answered yet")

    outage = Outage()
    outage.away = False
    outage.known["nf-1"] = JobId(cluster="c", user="alice", number="18")
    left = Leftover(cluster="c", user="alice", name="nf-1")
    await left.end(outage, slow)  # type: ignore[arg-type]
    assert [job.number for job in outage.cancelled] == ["18"]
