"""A session from the moment that its job is named to its end: looked at, ended, told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

from traitlets import Float

from nearfield.errors import NearfieldError
from nearfield.scheduler import JobId, JobState, JobStatus
from nearfield_spawners import metrics
from nearfield_spawners.afterwards import Afterwards, log_tail
from nearfield_spawners.configured import Configured
from nearfield_spawners.culling import idle_limit
from nearfield_spawners.endings import Ending, ending_of, idle_ending
from nearfield_spawners.leftovers import DAY, LAUNCHER_SECONDS, Leftover, Leftovers
from nearfield_spawners.logs import event

_LASTS = frozenset({JobState.RUNNING, JobState.SUSPENDED})
NEVER_SUBMITTED = JobStatus(state=JobState.FAILED, reason="never submitted")
POLL_SECONDS = 5.0
"""So long a poll waits for an answer about the job. A person's request may be waiting for the poll:
JupyterHub asks whether a slow start has failed before it answers."""


class Life(Configured):
    """What can be asked and done about a session's job."""

    stop_seconds = Float(
        20, help="How long stop() waits for the job to be gone before it returns all the same."
    ).tag(config=True)

    leftovers: Leftovers
    """Of the whole hub."""

    def __init__(self, **kwargs: Any) -> None:
        self._news = asyncio.Event()
        self._withdrew = ""
        """The name that no submit can take any more."""
        self._taken = "", 0.0
        """The name that a submit has taken, and since when (Unix time) that is known."""
        self._ending = asyncio.Lock()
        self._telling: asyncio.Task[Any] | None = None
        self._learning_end: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[JobStatus] | None = None
        """A look that may outlast the poll that asked for it: then it is the next one's."""
        super().__init__(**kwargs)

    # ------------------------------------------------------------------ looking

    def _heard(self, status: JobStatus) -> None:
        """The monitor has news of our job."""
        # Of a job that is over, or just ends, Slurm tells when that was, not its limit.
        if status.ends is not None and status.state in _LASTS:
            self.ends_at = status.ends.timestamp()
        self._news.set()
        # JupyterHub would learn of an end at its next poll, half a minute later.
        over = status.state.finished or status.state is JobState.COMPLETING
        told = self._telling is not None and not self._telling.done()
        if over and self._poll_callback is not None and not self._stop_pending and not told:
            self._telling = asyncio.create_task(self.poll_and_notify())

    async def _look(self) -> JobStatus:
        name = self.job_name
        job = self.job or await self._find_again()
        if self.job_name != name:
            return JobStatus(state=JobState.UNKNOWN, reason="its session is over")
        if job is None:
            if not await self._withdrawn():
                return JobStatus(state=JobState.UNKNOWN, reason="the submit may be under way")
            return NEVER_SUBMITTED
        return await self._monitor().look(job, self._heard)

    async def _look_in_time(self) -> JobStatus:
        look = self._looking
        if look is None or look.get_name() != self.job_name:
            look = self._looking = asyncio.create_task(self._look(), name=self.job_name)
        await asyncio.wait((look,), timeout=POLL_SECONDS)
        if not look.done():
            return JobStatus(state=JobState.UNKNOWN, reason="no answer yet")
        self._looking = None
        return look.result()

    async def _find_again(self) -> JobId | None:
        """The job of a submit whose answer was lost."""
        name = self.job_name
        job = await self._monitor().find(self.account, name)
        if self.job_name != name:
            return None  # stopped meanwhile, and what is saved may be another session's by now
        if job is not None:
            self.job_id = str(job)
            event(self.log, "found-again", **self._who())
            self.save_now()
        return job

    async def _withdrawn(self) -> bool:
        """Is it certain that a submit without an answer brings no job any more?"""
        name = self.job_name
        if self._withdrew != name:
            if not await self._scheduler().withdraw(self.account, name):
                # A launcher has begun with it, no clock of ours says when: the submit may have
                # waited for its turn. It ends by itself.
                if self._taken[0] != name:
                    self._taken = name, time.time()
                return time.time() > self._taken[1] + LAUNCHER_SECONDS
            self._withdrew = name
        return True

    def _who(self) -> dict[str, str]:
        """What every line of the log about this session says."""
        number = self.job.number if self.job else ""
        return {
            "user": self.user.name,
            "server": self.name,
            "profile": self.profile_name,
            "cluster": self.cluster_name,
            "job": number,
            "job_name": self.job_name,
        }

    # ------------------------------------------------------------------ the end

    async def poll(self) -> int | None:
        """None while the job may be alive, an exit code once it is known to be over."""
        if not self.job_name:
            return 0
        if self._stop_pending and self.job is None:
            # A start has failed, or is given up. stop() sees to what may come of its submit; to ask
            # for it here would keep the user from hearing why.
            return None
        try:
            status = await self._look_in_time()
        except NearfieldError as error:
            event(self.log, "cannot-tell", **self._who(), why=error.message)
            return None
        if not status.state.finished and not self._completed(status):
            return None
        async with self._ending:
            if not self.job_name:
                return 0  # told while we waited
            job = self.job
            if job is not None and status.state is JobState.COMPLETING:
                self._tell_later(job, status)
            else:
                ran = bool(self.host)
                ending = await self._note_end(status)
                if ran:
                    metrics.ended(ending.kind)
                if job is not None:
                    self._monitor().forget(job)
            self.clear_state()
        return 1 if status.exit_code is None else status.exit_code

    def _completed(self, status: JobStatus) -> bool:
        """Is the server of a completing job over? Its port may be another's already."""
        return status.state is JobState.COMPLETING and bool(self.reported_port)

    def _tell_later(self, job: JobId, status: JobStatus) -> None:
        """Keep what is known of the end now; the rest is asked for when the hub has been told."""
        told = self._teller()
        first = self._keep_end(told(status, ""), status)
        left = Afterwards(job, self.job_name, self._monitor(), self._scheduler(), told)
        self._learning_end = asyncio.create_task(self._learn_end(left, first, status))

    async def _learn_end(self, left: Afterwards, first: Ending, status: JobStatus) -> None:
        ending = await left.ending(status)
        metrics.ended(ending.kind)
        # The next start, of this object or of another one for the same server, owns the state.
        saved = (self.orm_spawner.state or {}).get("job_name", left.name)
        if self.last_ending is first and not self.job_name and saved == left.name:
            self.last_ending = ending
            self.save_now()

    async def _note_end(self, status: JobStatus) -> Ending:
        """Keep how it ended, for the next time that the user looks."""
        told = self._teller()
        log = await log_tail(self._scheduler(), self.job, self.job_name) if self.job else ""
        return self._keep_end(told(status, log), status)

    def _keep_end(self, ending: Ending, status: JobStatus) -> Ending:
        self.last_ending = ending
        event(self.log, "ended", **self._who(), kind=ending.kind, why=status.reason)
        self.save_now()
        return ending

    def _teller(self) -> Callable[[JobStatus, str], Ending]:
        """The words for an end of this session, also when it is forgotten here."""
        user, host, ends_at = self.account, self.host, self.ends_at
        number, profile = self.job.number if self.job else "", self.profile_name

        def told(status: JobStatus, log: str) -> Ending:
            if not status.host:  # Slurm drops the node's name from jobs that ended
                status = status.model_copy(update={"host": host or None})
            return ending_of(
                status,
                user=user,
                log=log,
                started=bool(host),
                ends_at=ends_at,
                job=number,
                profile=profile,
            )

        return told

    # ------------------------------------------------------------------ ending it

    async def stop(self, now: bool = False) -> None:
        """Cancel the job and wait until the scheduler says that it is over."""
        if not self.job_name:
            return
        job = self.job
        if job is None:
            # Whether a job comes of its submit can take a minute to learn: nobody waits for that.
            self._leave(tried=False)
            return
        try:
            await self._scheduler().cancel(job)
        except NearfieldError as error:
            self.log.warning("%s cannot be stopped now: %s", self._log_name, error.message)
            self._leave(tried=True)
            return
        self._note_idle()
        event(self.log, "cancelled", **self._who())
        if not now:
            await self._until_gone(job)
        self._monitor().forget(job)

    def _leave(self, *, tried: bool) -> None:
        """JupyterHub forgets the server whatever we answer; its job must not be forgotten."""
        left = Leftover(
            cluster=self.cluster_name,
            user=self.account,
            name=self.job_name,
            number=self.job.number if self.job else "",
            taken=self._taken[1] if self._taken[0] == self.job_name else 0.0,
        )
        if self.host and self.ends_at:  # a day more: a limit can be raised, a job suspended
            left.over = self.ends_at + DAY
        self.leftovers.add(left, tried=tried)

    def _note_idle(self) -> None:
        """Who ends a server, the hub does not say; that it was idle for too long can be seen."""
        limit = idle_limit(self.live.recent, self.profile_name)
        last = self.orm_spawner.last_activity
        if limit is None or last is None or not self.host:
            return
        idle = time.time() - last.replace(tzinfo=UTC).timestamp()  # JupyterHub keeps UTC, bare
        if idle >= limit.total_seconds():
            self.last_ending = idle_ending(
                idle,
                limit.total_seconds(),
                job=self.job.number if self.job else "",
                profile=self.profile_name,
                host=self.host,
            )

    async def _until_gone(self, job: JobId) -> None:
        monitor, deadline = self._monitor(), time.monotonic() + self.stop_seconds
        monitor.watch(job, urgent=True)
        while (left := deadline - time.monotonic()) > 0:
            try:
                status = await asyncio.wait_for(monitor.fresh(job), left)
            except (TimeoutError, NearfieldError):
                break
            if status.state.finished:
                return
        self.log.warning("job %s is still there %.0f s after its cancel", job, self.stop_seconds)
