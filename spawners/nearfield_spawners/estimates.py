"""When a session would start, without asking the scheduler more than a page is worth.

An answer holds for a minute for everybody who would ask for the same of the same cluster. New
questions are limited, per user and in all: beyond that the page goes without an estimate.

It comes from a launcher that ran as one user, who may have had it say anything: what no scheduler
would say is told to that user alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

from nearfield.errors import NearfieldError, SubmitError
from nearfield.scheduler import Availability, JobSpec, Scheduler, StartRange
from nearfield.scheduler.turns import Turns

log = logging.getLogger("nearfield.estimates")

SECONDS = 60.0
PER_USER = 10
IN_ALL = 60
KEPT = 1000
PAST = timedelta(minutes=5)
"""A start this long ago may be "now" of another clock; munge bears no greater difference."""
AHEAD = timedelta(days=30)
"""No queue is longer."""


@dataclass(frozen=True)
class Estimate:
    """A range; or the scheduler's words why such a job would be refused; or neither."""

    start: StartRange | None = None
    refused: str = ""


@dataclass
class Estimates:
    """The estimates of a hub, for all its clusters."""

    per_user: int = PER_USER
    in_all: int = IN_ALL
    seconds: float = SECONDS
    patience: float = 10.0
    """A page waits so long for one answer."""
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _known: dict[str, tuple[float, Estimate]] = field(default_factory=dict)
    _asked: deque[tuple[float, str]] = field(default_factory=deque)
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _turns: Turns = field(default_factory=lambda: Turns(2, each=1))

    async def of(self, scheduler: Scheduler, spec: JobSpec, look: Availability | None) -> Estimate:
        """The estimate for ``spec``; empty where it may not be asked for now."""
        shared = f"{spec.cluster} {spec.hardware.model_dump_json()}"
        # What is refused may be one user's matter: accounts and limits differ.
        own = f"{spec.user} {shared}"
        lock = self._locks.setdefault(shared, asyncio.Lock())
        async with (
            lock,
            self._turns.of(spec.user),
        ):  # who asks for the same waits for the same answer
            for key in (shared, own):
                if (known := self._recall(key)) is not None:
                    return known
            if not self._may_ask(spec.user):
                return Estimate()
            try:
                told = await asyncio.wait_for(scheduler.estimate(spec), self.patience)
            except SubmitError as error:
                return self._keep(own, Estimate(refused=error.message))
            except (NearfieldError, TimeoutError) as error:
                log.info("no estimate for %s: %s", shared, str(error) or "no answer in time")
                return self._keep(own, Estimate())
            key = shared if plausible(told, self.now()) else own
            return self._keep(key, Estimate(start=with_queue(told, spec, look)))

    def _recall(self, key: str) -> Estimate | None:
        at, estimate = self._known.get(key, (float("-inf"), None))
        return estimate if self.clock() - at < self.seconds else None

    def _keep(self, key: str, estimate: Estimate) -> Estimate:
        self._known.pop(key, None)
        self._known[key] = (self.clock(), estimate)
        while len(self._known) > KEPT:
            self._known.pop(next(iter(self._known)))
        return estimate

    def _may_ask(self, user: str) -> bool:
        now = self.clock()
        while self._asked and now - self._asked[0][0] >= self.seconds:
            self._asked.popleft()
        if len(self._asked) >= self.in_all:
            return False
        if sum(who == user for _, who in self._asked) >= self.per_user:
            return False
        self._asked.append((now, user))
        return True


def plausible(told: StartRange, now: datetime) -> bool:
    """May a scheduler have said so?"""
    times = (told.earliest, told.latest or told.earliest)
    return now - PAST <= min(times) and max(times) <= now + AHEAD


def with_queue(start: StartRange, spec: JobSpec, look: Availability | None) -> StartRange:
    """The range with those who wait already: by then they are expected to have started.

    Slurm's answer for a new job leaves the waiting ones out of account.
    """
    if start.latest is not None or look is None:
        return start
    partition = spec.hardware.partition or look.default_partition or ""
    if not look.pending.get(partition):
        return start.model_copy(update={"latest": start.earliest})
    last = look.last_start.get(partition)
    latest = None if last is None else max(last, start.earliest)
    return start.model_copy(update={"latest": latest})
