"""Jobs that should have been cancelled while the scheduler did not answer.

JupyterHub forgets a server once ``stop`` has returned or failed. A job whose cancel did not get
through would then run on with nobody to end it, so it is kept here, in the spawner's state, and
cancelled as soon as the scheduler answers again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from nearfield.errors import NearfieldError
from nearfield.scheduler import JobId, Scheduler

log = logging.getLogger("nearfield.leftovers")


class Leftover(BaseModel):
    """A job by number or, where the submit's answer was lost, by name."""

    model_config = ConfigDict(frozen=True)

    cluster: str
    user: str
    name: str
    number: str = ""

    async def end(self, scheduler: Scheduler) -> None:
        """Cancel it. Raises SchedulerError while that cannot be done."""
        if self.number:
            job: JobId | None = JobId(cluster=self.cluster, user=self.user, number=self.number)
        else:
            job = await scheduler.find(self.user, self.name)
        if job is not None:
            await scheduler.cancel(job)


class Leftovers:
    """The leftovers of one spawner. ``save`` is called after each change."""

    def __init__(
        self,
        scheduler: Callable[[str], Scheduler],
        save: Callable[[], None],
        *,
        pause_seconds: float = 10.0,
    ) -> None:
        self._scheduler, self._save, self._pause = scheduler, save, pause_seconds
        self._kept: dict[str, Leftover] = {}
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def dump(self) -> list[dict[str, Any]]:
        return [kept.model_dump() for kept in self._kept.values()]

    def load(self, entries: list[dict[str, Any]]) -> None:
        self._kept = {kept.name: kept for kept in map(Leftover.model_validate, entries)}

    def add(self, leftover: Leftover) -> None:
        """Keep a job and go on trying to cancel it."""
        self._kept[leftover.name] = leftover
        self._save()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._until_gone())

    async def try_once(self) -> None:
        """Cancel what can be cancelled now."""
        for name, leftover in list(self._kept.items()):
            try:
                await leftover.end(self._scheduler(leftover.cluster))
            except NearfieldError as error:
                log.warning("job %s still cannot be cancelled: %s", name, error.message)
                continue
            log.info("job %s, left over from an outage, is cancelled", name)
            self._kept.pop(name, None)
            self._save()

    async def _until_gone(self) -> None:
        while self._kept:
            await asyncio.sleep(self._pause)
            await self.try_once()
