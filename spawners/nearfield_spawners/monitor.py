"""One look at the queue per interval, for all users of a cluster.

Spawners read its cache: what the hub asks of Slurm does not grow with the number of servers.
It looks every second while something is starting and every half minute otherwise, sleeps when
nothing is watched, and never says "gone" because a look failed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from nearfield.scheduler import JobId, JobState, JobStatus, Scheduler

log = logging.getLogger("nearfield.monitor")

UNKNOWN = JobStatus(state=JobState.UNKNOWN, reason="not looked yet")


@dataclass
class QueueMonitor:
    """Watches the jobs of one cluster through one scheduler."""

    scheduler: Scheduler
    fast_seconds: float = 1.0
    slow_seconds: float = 30.0
    least_seconds: float = 0.2
    _watched: dict[JobId, bool] = field(default_factory=dict)
    """Job → is somebody waiting for it to start or end?"""
    _seen: dict[JobId, JobStatus] = field(default_factory=dict)
    _looked_at: float = float("-inf")
    _ended_at: float = float("-inf")
    _looking: asyncio.Task[None] | None = None

    async def look(
        self, job: JobId, *, urgent: bool = False, max_age: float | None = None
    ) -> JobStatus:
        """The state of ``job``, at most one interval old.

        ``urgent`` marks a job that somebody waits for and shortens the interval for all.
        """
        self._watched[job] = urgent
        if max_age is None:
            max_age = self.fast_seconds if any(self._watched.values()) else self.slow_seconds
        known = self._seen.get(job)
        if known is not None and known.state.finished:
            return known
        if known is None or time.monotonic() - self._looked_at > max_age:
            await self._refresh(needs=job)
        return self._seen.get(job, UNKNOWN)

    def expire(self) -> None:
        """There is news: the next question looks again."""
        self._looked_at = float("-inf")

    def forget(self, job: JobId) -> None:
        """Stop watching a job that is over."""
        self._watched.pop(job, None)
        self._seen.pop(job, None)

    async def _refresh(self, needs: JobId) -> None:
        # All that ask at the same time share one look; a job added while one was under way
        # asks for the next.
        while True:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look_once())
            await asyncio.shield(self._looking)
            if needs in self._seen or needs not in self._watched:
                return

    async def _look_once(self) -> None:
        # News from many spawners at once must not become a burst of looks.
        await asyncio.sleep(max(0.0, self.least_seconds - (time.monotonic() - self._ended_at)))
        asked = [job for job in self._watched if not self._is_over(job)]
        try:
            found = await self.scheduler.status(asked)
        except Exception as error:  # a look must never take a session down with it
            log.error("looking at the queue failed: %s", error)
            found = {}
        self._looked_at = self._ended_at = time.monotonic()
        for job in asked:
            self._seen[job] = found.get(job, JobStatus(state=JobState.UNKNOWN, reason="no answer"))

    def _is_over(self, job: JobId) -> bool:
        known = self._seen.get(job)
        return known is not None and known.state.finished
