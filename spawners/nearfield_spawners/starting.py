"""From the submit to the server's URL: waiting, and telling what is waited for.

What wakes it up is one event: a word of the job (a stage, the port), or a look of the monitor.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from nearfield.errors import NearfieldError, SchedulerUnavailableError
from nearfield.scheduler import JobId, JobState, JobStatus
from nearfield_spawners import metrics
from nearfield_spawners.late_route import LateRoute
from nearfield_spawners.life import NEVER_SUBMITTED, Life
from nearfield_spawners.logs import event
from nearfield_spawners.monitor import NotToldYetError
from nearfield_spawners.queue_view import within
from nearfield_spawners.reach import in_reach
from nearfield_spawners.reasons import words_for
from nearfield_spawners.refusal import failed
from nearfield_spawners.stages import OF_THE_NODE, PERCENT, StageName, pause

PATIENCE = 3.0
"""So many of the monitor's short intervals a new job may take until it speaks by itself."""


class Starting(Life):
    """A session that is not yet a server."""

    reach_seconds = 5.0
    """Between two tries to reach the node of a session, after a restart of the hub."""

    def __init__(self, **kwargs: Any) -> None:
        self._port_reported = asyncio.Event()
        self._said: list[StageName] = []
        self._first_word: int | None = None
        """The look before the job first spoke to us. From then on it stays on its node: the node
        program runs once, and a job that Slurm puts back finds its folder used."""
        self._late_route = LateRoute(self)
        super().__init__(**kwargs)

    def stage(self, name: StageName, message: str) -> None:
        """Note how far the start has come, for the page, the API and the log."""
        if self.stages.add(name, message):
            event(self.log, "stage", **self._who(), stage=name.value, message=message)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The stages so far, then each as it comes."""
        async for told in self.stages.events():
            yield told

    # ------------------------------------------------------------------ what the job says

    def accept_port(self, port: int) -> bool:
        """Take a port report. False where nobody waits for one, or another was taken already."""
        if not self.job_name or self.reported_port not in {0, port}:
            return False
        cluster = self.live.recent.clusters.get(self.cluster_name)
        if cluster is not None and cluster.ports is not None and port not in cluster.ports:
            return False
        self.reported_port = port
        self.save_now()
        self._port_reported.set()
        self._spoken()
        return True

    def accept_stage(self, name: StageName) -> bool:
        """Take the node's word about how far it is. False where nobody waits for it."""
        if not self.job_name or self.reported_port or name not in OF_THE_NODE:
            return False
        self._spoken()
        self._said.append(name)
        if any(stage.name is StageName.ALLOCATED for stage in self.stages):
            self._tell_said()
        return True

    def _tell_said(self) -> None:
        """What the node has said, once its name is told. One word may have overtaken another."""
        said, self._said = sorted(self._said, key=lambda name: PERCENT[name]), []
        for name in said:
            later = (s for s in self.stages if s.name in OF_THE_NODE and s.percent > PERCENT[name])
            if next(later, None) is None:
                self.stage(name, OF_THE_NODE[name])

    def _spoken(self) -> None:
        if self._first_word is None and self.cluster_name:
            monitor = self._monitor()
            self._first_word = monitor.begun
            monitor.hurry()
        self._news.set()

    # ------------------------------------------------------------------ submitting

    async def submit_with(self, submit: Callable[[], Awaitable[JobId]]) -> None:
        """Submit, and where ``when_down: wait`` says so, wait for a scheduler that is down.

        ``submit`` names a new job each time that it is called.
        """
        waits = self.live.recent.clusters[self.cluster_name].when_down == "wait"
        while True:
            if waits:
                await self._until_it_answers()
            try:
                self.job_id = str(await submit())
            except SchedulerUnavailableError as error:
                if not waits:
                    raise
                # The job may exist all the same: another must not be made before that is clear.
                self._waiting_for_answer(error)
                if not await self._found_or_never():
                    continue
            self.save_now()
            return

    async def _until_it_answers(self) -> None:
        while True:
            try:
                # Any question will do; a name that was never asked for is not answered from memory.
                name = f"nearfield-{secrets.token_hex(8)}"
                await self._monitor().find(self.account, name)
            except NotToldYetError:
                return  # the queue has answered; only the owner's own look is still to come
            except SchedulerUnavailableError as error:
                self._waiting_for_answer(error)
                await asyncio.sleep(self._interval)
            else:
                return

    def _waiting_for_answer(self, error: NearfieldError) -> None:
        message = f"{self.cluster_name} does not answer, waiting for it: {error.message}"
        self.stage(StageName.SUBMITTING, message)

    async def _found_or_never(self) -> bool:
        """Was a job made by the submit whose answer was lost?"""
        while True:
            try:
                if await self._find_again() is not None:
                    return True
                if await self._withdrawn():
                    return False
            except NotToldYetError:
                pass
            except SchedulerUnavailableError as error:
                self._waiting_for_answer(error)
            await asyncio.sleep(self._interval)

    @property
    def _interval(self) -> float:
        return self.live.recent.clusters[self.cluster_name].poll_seconds

    # ------------------------------------------------------------------ waiting

    async def _server_url(self) -> str:
        """Wait until the job runs and its server has reported a port."""
        while True:
            self._news.clear()
            job = self.job or await self._sought()
            if job is None:
                await pause(self._news, self._interval)
                continue
            monitor = self._monitor()
            patience = PATIENCE * monitor.fast_seconds
            monitor.watch(job, self._heard, urgent=True, patience=patience)
            status = monitor.told(job)
            if status is not None:
                # COMPLETING is no end here: a launch that failed goes back to the queue from it.
                if status.state.finished:
                    raise await self._start_failed(status)
                self._tell(job, status)
                if self._listening(job, status):
                    monitor.watch(job, urgent=False)
                    return await self._ready(status)
            await self._news.wait()

    def _listening(self, job: JobId, status: JobStatus) -> bool:
        """Its port is known, and where it runs was looked up after it had begun to speak."""
        if not self.reported_port or status.state is not JobState.RUNNING or not status.host:
            return False
        if self._first_word is None:
            self._first_word = 0  # the port was reported to the hub before this one
        return self._monitor().told(job, after=self._first_word) is not None

    async def _ready(self, status: JobStatus) -> str:
        self.host = status.host or ""
        self.stage(StageName.READY, "Server started, connecting")
        self.save_now()
        metrics.started(self.profile_name, self.cluster_name, self.stages)
        event(self.log, "listening", **self._who(), host=self.host)
        self.listening()
        return self._url(self.host, self.reported_port)

    def listening(self) -> None:
        """The server listens: what else there is to learn of it may be asked now."""

    async def _sought(self) -> JobId | None:
        """The job of a submit whose answer was lost; None if it may still turn up.

        This is after a restart of the hub. ``when_down`` is about new starts: a job that may be
        there is not given up because nobody can tell just now.
        """
        try:
            job = await self._find_again()
            over = job is None and await self._withdrawn()
        except NotToldYetError:
            return None
        except SchedulerUnavailableError as error:
            self._waiting_for_answer(error)
            return None
        if over:
            raise await self._start_failed(NEVER_SUBMITTED)
        return job

    def _tell(self, job: JobId, status: JobStatus) -> None:
        if status.state is JobState.PENDING:
            self.stage(StageName.QUEUED, self._waiting(job, status))
        elif status.state is JobState.RUNNING and status.host:
            if not any(stage.name in OF_THE_NODE for stage in self.stages):
                self.stage(StageName.ALLOCATED, f"Node {status.host} allocated")
            self._tell_said()
        elif status.state is JobState.SUSPENDED:
            self.stage(StageName.ALLOCATED, "The job is suspended by Slurm")
        elif status.state is JobState.UNKNOWN and not self._monitor().answers:
            last = self.stages.last
            name = last.name if last else StageName.SUBMITTED
            self.stage(name, f"{self.cluster_name} does not answer; your job is kept, waiting")

    def _waiting(self, job: JobId, status: JobStatus) -> str:
        """``Waiting in the queue: 3rd of 12 in short; other jobs come first; …``"""
        parts = []
        queue = self._monitor().queue
        if place := queue.place(job.number):
            position, length, partition = place
            parts.append(f"position {position} of {length} in {partition}")
        if words := words_for(status.reason):
            parts.append(words.meaning + (f" ({words.todo})" if words.todo else ""))
        now = datetime.now(UTC)
        if span := queue.start(job.number, now):
            parts.append(f"start within about {within(span[1] - now)} by Slurm's estimate")
        return "Waiting in the queue" + (f": {'; '.join(parts)}" if parts else "")

    async def _start_failed(self, status: JobStatus) -> Exception:
        ending = await self._note_end(status)
        metrics.failed(self.profile_name, ending.kind)
        message = f"Your server did not start: {ending.sentence}"
        if ending.log:
            message += f"\nThe end of its log:\n{ending.log}"
        error: Exception = failed(message, ending.kind)
        return error

    def _url(self, host: str, port: int) -> str:
        address = self.live.recent.clusters[self.cluster_name].node_address.replace("{node}", host)
        return f"{'https' if self.internal_ssl else 'http'}://{address}:{port}"

    async def get_url(self) -> str:
        """Where the server is; after a restart of the hub this may still have to be waited for.

        Whoever stops the server meanwhile ends the wait: JupyterHub cancels what it takes for the
        start, and refuses to stop a server that it still checks.
        """
        self._late_route.asked_for()
        waiting = asyncio.create_task(self._address())
        self._spawn_future: asyncio.Task[str] | None = waiting
        try:
            return await waiting + str(self.server.base_url)
        except asyncio.CancelledError:
            self._check_pending = False
            raise
        except Exception as error:
            # JupyterHub asks on start-up, where an exception would end the hub itself.
            self.log.error("%s did not come up after the restart: %s", self._log_name, error)
            return str(self.server.url)
        finally:
            self._spawn_future = None

    async def _address(self) -> str:
        if self.reported_port and self.host:
            url = self._url(self.host, self.reported_port)
            await self._until_in_reach(url)
            return url
        self._late_route.waited_for()
        return await asyncio.wait_for(self._server_url(), self.start_timeout)

    async def _until_in_reach(self, url: str) -> None:
        """A hub that comes back before its network does must not end sessions that go on.

        JupyterHub stops a server that does not answer within ``http_timeout``. One whose node
        cannot even be reached is waited for, as long as its job may run.
        """
        while not await in_reach(url):
            self._late_route.waited_for()
            message = f"{self.host} cannot be reached from the hub; waiting for it"
            self.log.warning("%s: %s", self._log_name, message)
            await asyncio.sleep(self.reach_seconds)
            if await self.poll() is not None:
                return

    def start_polling(self) -> None:
        """JupyterHub's; the last that it does before it takes a server for ready."""
        super().start_polling()
        self._late_route.ready()
