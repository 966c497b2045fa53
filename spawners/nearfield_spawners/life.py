"""A session from the moment that its job is named to its end: looked at, ended, told."""

from __future__ import annotations

import asyncio
import time

from traitlets import Float

from nearfield.errors import NearfieldError, SchedulerError, SchedulerUnavailableError
from nearfield.scheduler import JobId, JobState, JobStatus
from nearfield_spawners.configured import Configured
from nearfield_spawners.endings import explain
from nearfield_spawners.leftovers import Leftover


class Life(Configured):
    """What can be asked and done about a session's job."""

    stop_seconds = Float(
        20, help="How long stop() waits for the job to be gone before it returns all the same."
    ).tag(config=True)

    async def _look(self, *, urgent: bool = False) -> JobStatus:
        job = self.job or await self._find_again()
        if job is None:
            if not await self._withdrawn():
                return JobStatus(state=JobState.UNKNOWN, reason="the submit may be under way")
            return JobStatus(state=JobState.FAILED, reason="never submitted")
        return await self._monitor().look(job, urgent=urgent)

    async def _find_again(self) -> JobId | None:
        """The job of a submit whose answer was lost."""
        job = await self._scheduler().find(self.account, self.job_name)
        if job is not None:
            self.log.info("found job %s of %s again by its name", job, self._log_name)
            self.job_id = str(job)
            self.save_now()
        return job

    async def _withdrawn(self) -> bool:
        """Is it certain that a submit without an answer brings no job any more?"""
        over = time.time() > self.submit_over
        return over or await self._scheduler().withdraw(self.account, self.job_name)

    async def _log_tail(self) -> str:
        try:
            return await self._scheduler().log_tail(self.job, self.job_name) if self.job else ""
        except SchedulerError as error:
            return f"(the log could not be read: {error.message})"

    async def poll(self) -> int | None:
        """None while the job may be alive, an exit code once it is known to be over."""
        if not self.job_name:
            return 0
        try:
            status = await self._look()
        except NearfieldError as error:
            self.log.warning("cannot tell how %s is: %s", self._log_name, error)
            return None
        # The body of a server that ran is over once its job is completing.
        ending = status.state is JobState.COMPLETING and self.reported_port
        if not status.state.finished and not ending:
            return None
        self.log.info("%s: %s", self._log_name, explain(status))
        if job := self.job:
            self._monitor().forget(job)
        code = status.exit_code
        self.clear_state()
        return 1 if code is None else code

    async def stop(self, now: bool = False) -> None:
        """Cancel the job and wait until the scheduler says that it is over."""
        if not self.job_name:
            return
        try:
            job = self.job or await self._find_again()
            if job is None:
                if await self._withdrawn():
                    return
                raise SchedulerUnavailableError("its submit has not been answered yet")
            await self._scheduler().cancel(job)
        except NearfieldError as error:
            # JupyterHub forgets the server whatever we answer; the job must not be forgotten.
            self.log.warning("%s cannot be stopped now: %s", self._log_name, error.message)
            number = self.job.number if self.job else ""
            self.leftovers.add(
                Leftover(
                    cluster=self.cluster_name,
                    user=self.account,
                    name=self.job_name,
                    number=number,
                    until=0.0 if number else self.submit_over,
                )
            )
            return
        deadline = time.monotonic() + self.stop_seconds
        while not now and time.monotonic() < deadline:
            self._monitor().expire()
            status = await self._monitor().look(job, urgent=True)
            if status.state.finished:
                break
            await asyncio.sleep(0.25)
        else:
            if not now:
                self.log.warning(
                    "job %s is still there %.0f s after its cancel", job, self.stop_seconds
                )
        self._monitor().forget(job)
