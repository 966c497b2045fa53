"""What is free on a cluster, asked at most once a minute for the whole hub.

However many people look at the spawn page: all within a minute see the same answer, and all that
come while one is on its way wait for it. A cluster that did not answer is left alone as long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nearfield.errors import NearfieldError
from nearfield.scheduler import Availability, Scheduler

log = logging.getLogger("nearfield.availability")

SECONDS = 60.0


@dataclass(frozen=True)
class Look:
    """The newest answer of a cluster, and whether it still answers."""

    as_of: float
    """Unix time of the answer."""
    told: Availability | None
    message: str = ""
    """Why there is no newer answer; "" while the cluster answers."""


@dataclass
class AvailabilityCache:
    """One cluster's availability."""

    scheduler: Scheduler
    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic
    _look: Look | None = None
    _asked_at: float = float("-inf")
    _asking: asyncio.Task[Look] | None = field(default=None, repr=False)

    async def look(self) -> Look:
        """An answer at most ``seconds`` old, or why there is none."""
        if self._asking is not None:
            return await asyncio.shield(self._asking)
        if self._look is not None and self.clock() - self._asked_at < self.seconds:
            return self._look
        self._asked_at = self.clock()
        self._asking = asyncio.create_task(self._ask())
        # Whoever asked first may go away; the answer is everybody's.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Look:
        before = self._look
        try:
            self._look = Look(as_of=time.time(), told=await self.scheduler.availability())
        except NearfieldError as error:
            log.warning("cluster %s: %s", self.scheduler.cluster, error.message)
            self._look = Look(
                as_of=before.as_of if before else time.time(),
                told=before.told if before else None,
                message=error.message,
            )
        except Exception as error:  # a page must not fail because a number is missing
            log.exception("cluster %s: what is free cannot be told", self.scheduler.cluster)
            self._look = Look(as_of=time.time(), told=None, message=type(error).__name__)
        finally:
            self._asking = None
        return self._look
