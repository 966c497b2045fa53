"""Jobs that should have been cancelled while the scheduler did not answer.

JupyterHub forgets a server once ``stop`` has returned or failed. A job whose cancel did not get
through would then run on with nobody to end it, so it is kept here, and in the hub's database
(:mod:`nearfield_spawners.leftover_table`), and cancelled once the scheduler answers again: tried
ever less often, and one at a time on a cluster, because after an outage the starts of users wait
for the same few slots.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from nearfield.errors import NearfieldError, SchedulerUnavailableError
from nearfield.scheduler import JobId, Scheduler
from nearfield_spawners.monitor import NotToldYetError

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
            job = await self._seek(scheduler, find)
            # No clock of the hub says when a submit began: it may have waited for its turn.
            if job is None and not await scheduler.withdraw(self.user, self.name):
                self.taken = self.taken or time.time()
                if time.time() < self.taken + LAUNCHER_SECONDS:
                    raise SchedulerUnavailableError("its submit may still be under way")
        if job is not None:
            await scheduler.cancel(job)

    async def _seek(self, scheduler: Scheduler, find: Finder | None) -> JobId | None:
        if find is not None:
            with suppress(NotToldYetError):
                return await find(self.cluster, self.user, self.name)
        # What is shared waits for no slow owner, and the next try may come too late for the
        # answer. Nobody waits for this one.
        return await scheduler.find(self.user, self.name)


class Leftovers:
    """Jobs that are still to be cancelled. ``save`` is called after each change."""

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
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """One for a cluster: what is down keeps nobody from cancelling on another."""

    def __len__(self) -> int:
        return len(self._kept)

    def dump(self) -> list[dict[str, Any]]:
        return [kept.model_dump() for kept in self._kept.values()]

    def load(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            try:
                kept = Leftover.model_validate(entry)
            except ValidationError as error:
                log.error("a leftover is given up, for it cannot be read: %s", error)
            else:
                self._kept[kept.name] = kept

    def add(self, leftover: Leftover, *, tried: bool = False) -> None:
        """Keep a job and go on trying to cancel it, at once unless that was just ``tried``."""
        self._kept[leftover.name] = leftover
        if tried:
            self._next[leftover.name] = self._clock() + self._pause, self._pause
        self._save()
        self.go_on()

    def go_on(self) -> None:
        """Try until nothing is left, unless that is under way."""
        for cluster in {leftover.cluster for leftover in self._kept.values()}:
            if cluster not in self._tasks:
                task = asyncio.create_task(self._until_gone(cluster))
                self._tasks[cluster] = task

    async def settled(self) -> None:
        """Wait until nothing is left."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _until_gone(self, cluster: str) -> None:
        try:
            while self._of(cluster):
                await self.try_once(cluster)
                if self._of(cluster):
                    await asyncio.sleep(self._pause)
        finally:
            del self._tasks[cluster]

    def _of(self, cluster: str) -> list[tuple[str, Leftover]]:
        return [(name, kept) for name, kept in self._kept.items() if kept.cluster == cluster]

    async def try_once(self, cluster: str) -> None:
        """Cancel what is due on a cluster and can be cancelled now, one after the other."""
        for name, leftover in self._of(cluster):
            if name in self._kept and self._clock() >= self._next.get(name, (0.0, 0.0))[0]:
                await self._try(name, leftover)

    async def _try(self, name: str, leftover: Leftover) -> None:
        try:
            await leftover.end(self._scheduler(leftover.cluster), self._find)
        except Exception as error:  # whatever it is, the others have their turn
            why = error.message if isinstance(error, NearfieldError) else repr(error)
            # Nor does a cluster that nearfield.yaml lacks for now end its jobs.
            if time.time() > leftover.over:
                log.error("job %s is given up: %s", name, why)
                self._drop(name)
                return
            pause = self._next.get(name, (0.0, self._pause))[1] * 2
            pause = min(pause, MOST_SECONDS)
            self._next[name] = self._clock() + pause, pause
            log.warning("job %s still cannot be cancelled: %s", name, why)
        else:
            log.info("job %s, left over from an outage, is cancelled", name)
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._kept.pop(name, None)
        self._next.pop(name, None)
        self._save()
