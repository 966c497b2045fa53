"""How a session ended that is over before Slurm says how.

A job that is COMPLETING has no server any more, and its port on the node is anybody's. The hub is
told at once, so that its proxy leads nobody there; the words for the user are found afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nearfield.errors import NearfieldError
from nearfield.scheduler import JobId, JobState, JobStatus, Scheduler
from nearfield_spawners.endings import LOG_LINES, Ending
from nearfield_spawners.monitor import QueueMonitor

COMPLETING_SECONDS = 30.0
"""So long Slurm is asked how it came about."""
LOG_SECONDS = 20.0


@dataclass(frozen=True)
class Afterwards:
    """What must still be known of a session when its spawner has forgotten it."""

    job: JobId
    name: str
    monitor: QueueMonitor
    scheduler: Scheduler
    told: Callable[[JobStatus, str], Ending]
    """The status and the end of the log → the ending."""

    async def ending(self, status: JobStatus) -> Ending:
        """The ending in Slurm's own words, or by ``status`` if it does not find any in time."""
        self.monitor.forget(self.job)  # what is heard of it now concerns no server
        self.monitor.watch(self.job, urgent=True)
        try:
            status = await asyncio.wait_for(self._final(), COMPLETING_SECONDS)
        except (TimeoutError, NearfieldError):
            pass
        finally:
            self.monitor.forget(self.job)
        return self.told(status, await log_tail(self.scheduler, self.job, self.name))

    async def _final(self) -> JobStatus:
        while True:
            status = await self.monitor.fresh(self.job)
            if status.state.finished:
                return status
            if status.state is JobState.UNKNOWN:
                await asyncio.sleep(self.monitor.fast_seconds)


async def log_tail(scheduler: Scheduler, job: JobId, name: str) -> str:
    """The end of a job's log, or why it cannot be had."""
    asked: Awaitable[str] = scheduler.log_tail(job, name, LOG_LINES)
    try:
        return await asyncio.wait_for(asked, LOG_SECONDS)
    except NearfieldError as error:
        return f"(the log could not be read: {error.message})"
    except TimeoutError:
        return f"(the log could not be read within {LOG_SECONDS:.0f} s)"
