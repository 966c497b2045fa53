"""Jobs that should have been cancelled while the scheduler did not answer.

JupyterHub forgets a server once ``stop`` has returned or failed. A job whose cancel did not get
through would then run on with nobody to end it, so it is kept here, in the spawner's state, and
cancelled once the scheduler answers again: tried ever less often, and one at a time on a cluster,
because after an outage the starts of users wait for the same few slots.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from jupyterhub import orm
from pydantic import BaseModel, Field
from sqlalchemy.orm import object_session

from nearfield.errors import NearfieldError, SchedulerUnavailableError, UnknownNameError
from nearfield.scheduler import JobId, Scheduler

Finder = Callable[[str, str, str], Awaitable[JobId | None]]
"""Cluster, user, name → the live job of that name."""

LAUNCHER_SECONDS = 100.0
"""A launcher ends by itself after 90 s: what it submitted is in the queue by then, or never."""

MOST_SECONDS = 600.0
"""The longest pause between two tries of one job."""
DAY = 86400.0
LONGEST_DAYS = 8.0
"""A job whose end nobody knows is given up after so long."""

log = logging.getLogger("nearfield.leftovers")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()


def _turn(cluster: str) -> asyncio.Lock:
    turns = _turns.setdefault(asyncio.get_running_loop(), {})
    return turns.setdefault(cluster, asyncio.Lock())


class Leftover(BaseModel):
    """A job by number or, where the submit's answer was lost, by name."""

    cluster: str
    user: str
    name: str
    number: str = ""
    taken: float = 0.0
    """Without a number: when (Unix time) its submit was first seen to have begun."""
    over: float = Field(default_factory=lambda: time.time() + LONGEST_DAYS * DAY)
    """When (Unix time) its own time limit has surely ended it."""

    async def end(self, scheduler: Scheduler, find: Finder | None = None) -> None:
        """Cancel it. Raises SchedulerError while that cannot be done.

        ``find`` shares one question about the names of all leftovers, where there is one.
        """
        if self.number:
            job: JobId | None = JobId(cluster=self.cluster, user=self.user, number=self.number)
        else:
            job = await (
                find(self.cluster, self.user, self.name)
                if find is not None
                else scheduler.find(self.user, self.name)
            )
            # No clock of the hub says when a submit began: it may have waited for its turn.
            if job is None and not await scheduler.withdraw(self.user, self.name):
                self.taken = self.taken or time.time()
                if time.time() < self.taken + LAUNCHER_SECONDS:
                    raise SchedulerUnavailableError("its submit may still be under way")
        if job is not None:
            await scheduler.cancel(job)


class Leftovers:
    """The leftovers of one spawner. ``save`` is called after each change."""

    def __init__(
        self,
        scheduler: Callable[[str], Scheduler],
        save: Callable[[], None],
        *,
        find: Finder | None = None,
        pause_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scheduler, self._save, self._pause = scheduler, save, pause_seconds
        self._find, self._clock = find, clock
        self._kept: dict[str, Leftover] = {}
        self._next: dict[str, tuple[float, float]] = {}
        """Name → when it is tried again, and the pause before that."""
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def dump(self) -> list[dict[str, Any]]:
        return [kept.model_dump() for kept in self._kept.values()]

    def load(self, entries: list[dict[str, Any]]) -> None:
        self._kept = {kept.name: kept for kept in map(Leftover.model_validate, entries)}

    def add(self, leftover: Leftover, *, tried: bool = False) -> None:
        """Keep a job and go on trying to cancel it, at once unless that was just ``tried``."""
        self._kept[leftover.name] = leftover
        if tried:
            self._next[leftover.name] = self._clock() + self._pause, self._pause
        self._save()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self.until_gone())

    async def try_once(self) -> None:
        """Cancel what is due and can be cancelled now."""
        for name, leftover in list(self._kept.items()):
            async with _turn(leftover.cluster):
                if name in self._kept and self._clock() >= self._next.get(name, (0.0, 0.0))[0]:
                    await self._try(name, leftover)

    async def _try(self, name: str, leftover: Leftover) -> None:
        try:
            await leftover.end(self._scheduler(leftover.cluster), self._find)
        except NearfieldError as error:
            if isinstance(error, UnknownNameError) or time.time() > leftover.over:
                log.error("job %s is given up: %s", name, error.message)
                self._drop(name)
                return
            pause = self._next.get(name, (0.0, self._pause))[1] * 2
            pause = min(pause, MOST_SECONDS)
            self._next[name] = self._clock() + pause, pause
            log.warning("job %s still cannot be cancelled: %s", name, error.message)
        else:
            log.info("job %s, left over from an outage, is cancelled", name)
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._kept.pop(name, None)
        self._next.pop(name, None)
        self._save()

    async def until_gone(self) -> None:
        """Try again until nothing is left."""
        while self._kept:
            await self.try_once()
            if self._kept:
                await asyncio.sleep(self._pause)


_swept: set[Any] = set()


def sweep_once(row: Any, scheduler: Callable[[str], Scheduler], find: Finder | None = None) -> None:
    """Once per hub process: go on with the leftovers of all spawners in its database.

    JupyterHub makes no spawner object for a server that is stopped, so after a restart nobody
    else would read them.
    """
    session = object_session(row) if row is not None else None
    if session is None or session.bind in _swept:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # no hub around: a test, or a tool that only looks
    _swept.add(session.bind)
    rows = [r for r in session.query(orm.Spawner) if (r.state or {}).get("leftovers")]
    for found in rows:
        _tasks.add(task := loop.create_task(_sweep(found, session, scheduler, find)))
        task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Task[None]] = set()


async def _sweep(
    row: Any, session: Any, scheduler: Callable[[str], Scheduler], find: Finder | None
) -> None:
    def save() -> None:
        row.state = {**(row.state or {}), "leftovers": kept.dump()}
        session.commit()

    kept = Leftovers(scheduler, save, find=find)
    kept.load(row.state["leftovers"])
    await kept.until_gone()
