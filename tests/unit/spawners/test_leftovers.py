"""A job that could not be cancelled is not forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import JobId
from nearfield_spawners import leftovers
from nearfield_spawners.leftovers import Leftover, Leftovers


class Outage:
    """A scheduler that may be away."""

    def __init__(self) -> None:
        self.away = True
        self.cancelled: list[JobId] = []
        self.known: dict[str, JobId] = {}
        self.begun: set[str] = set()
        """Names that a submit has taken."""

    async def find(self, user: str, name: str) -> JobId | None:
        self._answer()
        return self.known.get(name)

    async def cancel(self, job: JobId) -> None:
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


async def test_cancelled_once_the_scheduler_is_back() -> None:
    outage = Outage()
    kept, saved = make(outage)
    kept.add(Leftover(cluster="c", user="alice", name="nf-1", number="17"))
    kept.add(Leftover(cluster="c", user="alice", name="nf-2"))
    await asyncio.sleep(0.03)
    assert len(kept) == 2
    assert [entry["name"] for entry in saved[-1]] == ["nf-1", "nf-2"]
    outage.known["nf-2"] = JobId(cluster="c", user="alice", number="18")
    outage.away = False
    assert kept._task is not None
    await asyncio.wait_for(kept._task, 5)
    assert [job.number for job in outage.cancelled] == ["17", "18"]
    assert saved[-1] == []


async def test_a_new_hub_goes_on() -> None:
    outage = Outage()
    first, saved = make(outage)
    first.add(Leftover(cluster="c", user="alice", name="nf-1", number="17"))
    second, _ = make(outage)
    second.load(saved[-1])
    outage.away = False
    await second.try_once()
    assert len(second) == 0
    assert outage.cancelled[0].number == "17"
    await asyncio.sleep(0.05)


async def test_a_job_that_never_was_is_dropped() -> None:
    outage = Outage()
    outage.away = False
    kept, _ = make(outage)
    kept.add(Leftover(cluster="c", user="alice", name="nf-3"))
    await kept.try_once()
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
