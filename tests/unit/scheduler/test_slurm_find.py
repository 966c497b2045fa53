"""Jobs whose submit lost its answer are found again by name, at the cost of one squeue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nearfield.config import Cluster
from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import JobId, slurm_seek
from nearfield.scheduler.commands import Result
from nearfield.scheduler.slurm import SlurmScheduler
from nearfield.scheduler.slurm_seek import ABSENT_SECONDS, AGAIN_SECONDS, PER_OWNER

NAMES = [("alice", f"nearfield-{n:016x}") for n in range(50)]


class Commands:
    """The hub's own squeue, and the owners' finds."""

    def __init__(self, out: str = "", code: int = 0) -> None:
        self.result = Result(code, out, "squeue: error: Unable to contact slurm controller")
        self.asked: list[tuple[str, ...]] = []
        self.finds: list[tuple[str, str]] = []
        self.now = 0.0
        self.stopped: dict[str, asyncio.Event] = {}
        """Owner → when the launcher goes on."""

    async def ask(self, command: str, *args: str, seconds: float) -> Result:
        self.asked.append((command, *args))
        if "-j" in args:
            return Result(0, "alice|7|RUNNING|na1|N/A|N/A|None\n", "")
        return self.result

    async def find(self, user: str, name: str) -> str | None:
        self.finds.append((user, name))
        if user in self.stopped:
            await self.stopped[user].wait()
        return "99" if name == NAMES[1][1] else None

    def scheduler(self) -> SlurmScheduler:
        owner: Any = self
        return SlurmScheduler("lab", Cluster(), owner, queries=self, clock=lambda: self.now)


def job(number: str, user: str = "alice") -> JobId:
    return JobId(cluster="lab", user=user, number=number)


async def test_where_jobs_of_others_are_seen_one_squeue_is_enough() -> None:
    commands = Commands(f"41|alice|{NAMES[0][1]}\n42|mallory|{NAMES[2][1]}\n")
    scheduler = commands.scheduler()
    await scheduler.status([job("7")])
    found = await scheduler.find_all(NAMES)
    assert found.pop(NAMES[0]) == job("41")
    assert found == dict.fromkeys(NAMES[1:]), "a job of the name, but of another account, is none"
    assert len(commands.asked) == 2
    assert commands.finds == []
    names = commands.asked[1][commands.asked[1].index("-n") + 1]
    assert set(names.split(",")) == {name for _, name in NAMES}


async def test_where_they_may_be_hidden_the_owner_is_asked_and_not_too_often() -> None:
    commands = Commands()
    scheduler = commands.scheduler()
    assert await scheduler.find_all(NAMES[:2]) == {NAMES[0]: None, NAMES[1]: job("99")}
    assert await scheduler.find_all(NAMES[:2]) == {}, "nobody can say so soon"
    assert len(commands.finds) == 2
    commands.now = AGAIN_SECONDS + 1
    assert len(await scheduler.find_all(NAMES[:2])) == 2


async def test_no_answer_is_no_absence() -> None:
    with pytest.raises(SchedulerUnavailableError, match="Unable to contact"):
        await Commands(code=1).scheduler().find_all(NAMES)


MALLORYS = [("mallory", f"nearfield-{n:015x}f") for n in range(40)]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_seek, "QUICK_SECONDS", 0.05)


@pytest.mark.usefixtures("hurried")
async def test_one_owner_who_does_not_answer_keeps_nobody_from_an_answer() -> None:
    commands = Commands()
    go = commands.stopped["mallory"] = asyncio.Event()
    scheduler = commands.scheduler()
    wanted = [MALLORYS[0], NAMES[1]]
    assert await asyncio.wait_for(scheduler.find_all(wanted), 20) == {NAMES[1]: job("99")}
    # The answer is for the look that it is ready for, and nobody asks twice for it.
    commands.now = 9.0
    assert await asyncio.wait_for(scheduler.find_all(MALLORYS[:1]), 20) == {}
    go.set()
    await scheduler.settled()
    assert await scheduler.find_all(MALLORYS[:1]) == {MALLORYS[0]: None}
    assert commands.finds == wanted


@pytest.mark.usefixtures("hurried")
async def test_an_absence_that_was_told_too_late_is_asked_for_again() -> None:
    """A job may have been queued since the question."""
    commands = Commands()
    go = commands.stopped["mallory"] = asyncio.Event()
    scheduler = commands.scheduler()
    assert await asyncio.wait_for(scheduler.find_all(MALLORYS[:1]), 20) == {}
    go.set()
    await scheduler.settled()
    commands.now = ABSENT_SECONDS + 1
    assert await scheduler.find_all(MALLORYS[:1]) == {MALLORYS[0]: None}
    assert commands.finds == MALLORYS[:1] * 2


@pytest.mark.usefixtures("hurried")
async def test_one_owner_does_not_take_all_the_places_of_a_look() -> None:
    commands = Commands()
    go = commands.stopped["mallory"] = asyncio.Event()
    scheduler = commands.scheduler()
    assert await asyncio.wait_for(scheduler.find_all(MALLORYS), 20) == {}
    assert await asyncio.wait_for(scheduler.find_all([*MALLORYS, NAMES[1]]), 20) == {
        NAMES[1]: job("99")
    }
    assert len(commands.finds) == PER_OWNER + 1
    go.set()
    await scheduler.settled()
