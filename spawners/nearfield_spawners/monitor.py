"""One look at the queue per interval, for all users of a cluster.

Spawners read its memory and are told what changed: what the hub asks of Slurm does not grow with
the number of servers. It looks often while somebody waits for a job to start or end and seldom
otherwise, never more than a twentieth of the time, and not at all when nothing is watched. It
never says "gone" because a look failed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from nearfield.errors import NearfieldError, SchedulerUnavailableError
from nearfield.scheduler import JobId, JobState, JobStatus, Scheduler
from nearfield_spawners import metrics
from nearfield_spawners.queue_view import QueueView

log = logging.getLogger("nearfield.monitor")

REST = 20
"""A look that took one second is followed by at least so many without one."""
QUEUE_SECONDS = 15.0
"""How often the waiting jobs of everybody are listed while one of ours is among them."""

_numbers = itertools.count(1)

Listener = Callable[[JobStatus], None]


@dataclass
class _Watched:
    listener: Listener | None = None
    urgent: bool = False
    status: JobStatus | None = None
    known: JobStatus | None = None
    """The last word that was one: what UNKNOWN does not wipe out."""
    due: float = float("-inf")
    """When it is to be looked at for the first time."""
    look: int = 0
    """The number of the look that ``status`` is from."""

    @property
    def over(self) -> bool:
        return self.status is not None and self.status.state.finished


class QueueMonitor:
    """Watches the jobs of one cluster through one scheduler."""

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        fast_seconds: float = 1.0,
        slow_seconds: float = 30.0,
        least_seconds: float = 0.2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.scheduler = scheduler
        self.fast_seconds, self.slow_seconds = fast_seconds, slow_seconds
        self.least_seconds = least_seconds
        self.queue = QueueView()
        self.answers = True
        """Did the last look get an answer?"""
        self.complaint = ""
        self.seconds = 0.0
        """How long the last look took."""
        self._costs: deque[float] = deque(maxlen=2)
        """How long the last two looks took that got an answer."""
        self.clock = clock
        self._watched: dict[JobId, _Watched] = {}
        self._sought: dict[tuple[str, str], asyncio.Future[JobId | None]] = {}
        self._look = 0
        self._began = self._ended = self._queue_at = float("-inf")
        self._hurried = False
        self._wake = asyncio.Event()
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._heir: QueueMonitor | None = None
        metrics.watch(scheduler.cluster, lambda: self.age, lambda: float(self.watched))

    # ------------------------------------------------------------------ what spawners ask

    def watch(
        self,
        job: JobId,
        listener: Listener | None = None,
        *,
        urgent: bool | None = None,
        patience: float = 0.0,
    ) -> None:
        """From now on look at ``job``; ``listener`` is called with what is new about it.

        ``urgent``: somebody waits for it, which shortens the interval for all; None leaves that
        as it is. ``patience``: so long the first look may wait for a word of the job itself. A look
        made too early would have to be followed by a rest just when the news comes.
        """
        watched = self._watched.get(job)
        if watched is None:
            watched = self._watched[job] = _Watched(due=self.clock() + patience)
            self._wake.set()
        watched.listener = listener or watched.listener
        if urgent is not None and urgent != watched.urgent:
            watched.urgent = urgent
            self._wake.set()
        self._keep_going()

    def told(self, job: JobId, *, after: int = -1) -> JobStatus | None:
        """What the last look said, if that look began after the one numbered ``after``."""
        watched = self._watched.get(job)
        if watched is None or (watched.look <= after and not watched.over):
            return None
        return watched.status

    @property
    def begun(self) -> int:
        """The number of the last look that was begun; they grow over all monitors of a hub."""
        return self._look

    def known(self, job: JobId) -> JobStatus | None:
        """The last thing that was known, however long ago."""
        watched = self._watched.get(job)
        return watched.known if watched is not None else None

    async def look(
        self, job: JobId, listener: Listener | None = None, *, urgent: bool | None = None
    ) -> JobStatus:
        """What is known of ``job``; of one that was not watched, after the next look."""
        self.watch(job, listener, urgent=urgent)
        return self.told(job) or await self.fresh(job)

    async def fresh(self, job: JobId) -> JobStatus:
        """What a look says that begins after this call.

        Raises:
            SchedulerUnavailableError: the monitor was closed, and no other took its place.
        """
        before = self._look
        while job in self._watched:
            if (status := self.told(job, after=before)) is not None:
                return status
            self.hurry()
            await self._next_look()
        if self._heir is not None:
            return await self._heir.fresh(job)
        if self._closed:
            raise _closed()
        return JobStatus(state=JobState.UNKNOWN, reason="not watched")

    async def find(self, user: str, name: str) -> JobId | None:
        """The live job of that name. All names that are sought at a time share one question.

        Raises:
            SchedulerUnavailableError: nobody could say.
        """
        if self._closed:
            raise _closed()
        key = (user, name)
        if key not in self._sought:
            self._sought[key] = asyncio.get_running_loop().create_future()
        self.hurry()
        self._keep_going()
        return await asyncio.shield(self._sought[key])

    def hurry(self) -> None:
        """There is news: look again as soon as the rest between two looks is over."""
        self._hurried = True
        self._wake.set()

    def forget(self, job: JobId) -> None:
        """Stop watching a job."""
        self._watched.pop(job, None)
        self._wake.set()

    @property
    def watched(self) -> int:
        return len(self._watched)

    @property
    def age(self) -> float:
        """Seconds since the last look that got an answer was begun; 0 while nothing is watched."""
        busy = any(not watched.over for watched in self._watched.values())
        return max(0.0, self.clock() - self._answered) if busy else 0.0

    _answered = float("-inf")

    def close(self, heir: QueueMonitor | None = None) -> None:
        """Look no more. ``heir`` goes on with the jobs; whoever waits for an answer is told."""
        self._closed, self._heir = True, heir
        if self._task is not None:
            self._task.cancel()
        sought, self._sought = self._sought, {}
        _fail(sought, _closed())
        watched, self._watched = self._watched, {}
        if heir is not None and watched:
            heir._watched = watched | heir._watched
            heir._look = max(heir._look, self._look)
            heir._keep_going()
        self._looked.set()

    # ------------------------------------------------------------------ looking

    @property
    def due_in(self) -> float:
        """Seconds until the next look."""
        due = self._ended
        if not self._hurried:
            due = min((self._due(w) for w in self._watched.values() if not w.over), default=due)
        return max(due, self._ended + max(self._rest, self.least_seconds)) - self.clock()

    def _due(self, watched: _Watched) -> float:
        if not watched.look:
            return watched.due
        return self._ended + (self.fast_seconds if watched.urgent else self.slow_seconds)

    @property
    def _rest(self) -> float:
        # A look that timed out says nothing of what a look costs: waiting 20 times as long would
        # make the end of an outage last for minutes. One that was answered late may have met a
        # controller that hung for a moment: a slow queue is slow twice.
        if self.answers:
            return REST * min(self._costs, default=0.0)
        return min(REST * self.seconds, self.slow_seconds)

    def _keep_going(self) -> None:
        if self._closed:
            return
        if self._task is None or self._task.done():
            self._answered = max(self._answered, self.clock())
            self._task = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        while self._sought or any(not w.over for w in self._watched.values()):
            self._wake.clear()
            if (left := self.due_in) > 0:
                await _pause(self._wake, left)
                continue
            await self._look_once()
            await asyncio.sleep(0)  # whoever was waiting comes first

    async def _look_once(self) -> None:
        self._hurried = False
        self._look = next(_numbers)
        self._began = self.clock()
        asked = [job for job, watched in self._watched.items() if not watched.over]
        try:
            found = await self.scheduler.status(asked) if asked else {}
        except Exception as error:  # a look must never take a session down with it
            log.error("looking at the queue failed: %s", error)
            found = {}
        if asked:
            self._note_answer(asked, found)
            metrics.looked(self.scheduler.cluster, self.answers, self.seconds)
        await self._find_sought()
        for job in asked:
            self._note(job, found.get(job, JobStatus(state=JobState.UNKNOWN, reason="no answer")))
        await self._list_queue()
        self._ended = self.clock()
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    def _note_answer(self, asked: list[JobId], found: dict[JobId, JobStatus]) -> None:
        took = self.clock() - self._began
        self.seconds = min(took, getattr(self.scheduler, "squeue_seconds", took))
        silent = [s for j in asked if (s := found.get(j)) is None or s.state is JobState.UNKNOWN]
        answers = len(silent) < len(asked)
        if answers:
            self._answered = self._began
            self._costs.append(self.seconds)
        if answers != self.answers:
            words = "answers again" if answers else "does not answer"
            log.warning("cluster %s %s", self.scheduler.cluster, words)
        self.answers = answers
        self.complaint = "" if answers else next((s.reason for s in silent if s), "no answer")

    def _note(self, job: JobId, status: JobStatus) -> None:
        watched = self._watched.get(job)
        if watched is None:
            return
        news = status != watched.status or watched.urgent
        watched.status, watched.look = status, self._look
        if status.state is not JobState.UNKNOWN:
            watched.known = status
        if news and watched.listener is not None:
            try:
                watched.listener(status)
            except Exception:  # one session's trouble must not end the look of all
                log.exception("job %s: what is new of it could not be taken in", job)

    async def _find_sought(self) -> None:
        sought, self._sought = self._sought, {}
        if not sought:
            return
        try:
            found = await self.scheduler.find_all(list(sought))
            missing: SchedulerUnavailableError = NotToldYetError("its owner has not answered yet")
        except NearfieldError as error:
            found, missing = {}, SchedulerUnavailableError(error.message, hint=error.hint)
        except asyncio.CancelledError:
            _fail(sought, _closed())
            raise
        for key, future in sought.items():
            if future.done():
                continue
            if key in found:
                future.set_result(found[key])
            else:
                _fail({key: future}, missing)

    async def _list_queue(self) -> None:
        """The waiting jobs of everybody, while one of ours is among them."""
        waiting = any(
            w.urgent and w.status is not None and w.status.state is JobState.PENDING
            for w in self._watched.values()
        )
        began = self.clock()
        if not waiting or not self.answers or began < self._queue_at:
            return
        try:
            self.queue = QueueView(await self.scheduler.queue())
        except NearfieldError as error:
            log.info("the queue cannot be listed: %s", error.message)
            self.queue = QueueView()
        now = self.clock()
        self._queue_at = now + max(QUEUE_SECONDS, REST * (now - began))

    async def _next_look(self) -> None:
        self._keep_going()
        await self._looked.wait()


class NotToldYetError(SchedulerUnavailableError):
    """Nobody is down: the owner of a job that is sought by name is asked once in a while only."""


def _closed() -> SchedulerUnavailableError:
    return SchedulerUnavailableError("its cluster's configuration has just changed")


def _fail(
    sought: dict[tuple[str, str], asyncio.Future[JobId | None]], error: SchedulerUnavailableError
) -> None:
    for future in sought.values():
        if not future.done():
            future.set_exception(error)
            future.exception()  # who asked may be gone: nobody must be warned of that


async def _pause(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
