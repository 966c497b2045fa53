"""A Dask cluster of Slurm jobs: its scheduler in this process, its workers on other nodes.

dask-jobqueue has the shape (``scale``, ``close``, clients); who starts and ends jobs is the
supervisor, who makes them the broker. It looks every few seconds, in the cluster's own event loop:
there is no thread besides that one, which ends with the process.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from contextlib import suppress
from typing import Any, ClassVar
from uuid import uuid4

from dask.utils import parse_bytes
from distributed.core import Status
from distributed.deploy.cluster import Cluster
from distributed.security import Security

from nearfield.errors import ClusterError, SchedulerError, SchedulerUnavailableError, UsageError
from nearfield.workers import listening, showing
from nearfield.workers.broker import Broker, SessionEnds
from nearfield.workers.jobs import JobQueueCluster, WorkerJob
from nearfield.workers.supervising import Asked, Decision, Memory, Pace, decide

log = logging.getLogger(__name__)


class JobsCluster(JobQueueCluster):
    """Workers in Slurm jobs of this session's profile, encrypted and authenticated by TLS.

    Attributes:
        offer: What the session may start.
        ended: Why it has no workers and will start none; ``None`` while it has, or will.

    Raises:
        BlockedError: no session, or one that may start no jobs.
        UsageError: more jobs than it may start.
        ClusterError: the first job was refused.
    """

    job_cls = WorkerJob
    scheduler: Any
    workers: dict[str, WorkerJob]
    _ipython_display_: Any = None  # ``_repr_html_``, not Dask's widget
    LOOK: ClassVar[float] = 3.0
    """Seconds from one look to the next."""
    ESTIMATE: ClassVar[float] = 60.0
    """Seconds for which an estimate of the queue is good."""
    PACE: ClassVar[Pace] = Pace()

    def __init__(
        self,
        jobs: int,
        *,
        threads: int | None = None,
        minutes: int | None = None,
        dashboard: bool = False,
    ) -> None:
        security = Security.temporary()
        self._broker, self.offer = Broker.connect()
        self.ended: str | None = None
        self._memory, self._words = Memory(), ""
        self._numbers = itertools.count(1)
        self._wait, self._waited_at = 0.0, float("-inf")
        self._supervisor: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._length = 60.0 * min(minutes or self.offer.minutes, self.offer.minutes)
        try:
            self._wanted = self._checked(jobs)
            with listening.pages(dashboard):
                super().__init__(
                    security=security,
                    scheduler_options=listening.options(self.offer, dashboard),
                    silence_logs=logging.ERROR,
                    name=f"nearfield-{uuid4().hex[:8]}",
                    broker=self._broker,
                    address=self.offer.address,
                    credentials=security,
                    minutes=minutes,
                    cores=threads or self.offer.cores,
                    memory=f"{self.offer.memory_mb}MB",
                )
            self.sync(self._begin)
        except BaseException:
            if getattr(self, "status", None) is Status.running:
                self.close()
            self._broker.close()
            raise
        if self.ended is not None:
            self.close()
            raise ClusterError(f"no worker was started: {self.ended}")

    def scale(  # type: ignore[override]
        self, n: int | None = None, jobs: int = 0, memory: str | None = None, cores: int = 0
    ) -> None:
        """To so many workers; each is a job. Ones that are too many give their results away.

        After it had ended this begins anew.

        Args:
            n, jobs: Workers, at least.
            memory: Of all of them together, at least: ``"100 GB"``.
            cores: The same of threads.

        Raises:
            UsageError: more than the session may start.
        """
        each = self._dummy_job
        wanted = max(n or 0, jobs, math.ceil((cores or 0) / each.worker_cores))
        if memory is not None:
            wanted = max(wanted, math.ceil(parse_bytes(memory) / each.worker_memory))
        self._wanted = self._checked(wanted)
        if self.status in {Status.closing, Status.closed}:
            return
        self._memory, self.ended = Memory(), None
        if self._supervisor is not None:
            loop: Any = self.loop
            loop.add_callback(self._woken.set)

    def adapt(self, *_: Any, **__: Any) -> Any:
        """Not here. Raises UsageError."""
        raise UsageError(
            "workers come and go by the queue: there is no adapt()",
            hint="scale(n) keeps n workers, and replaces those that reach their time limit",
        )

    def __repr__(self) -> str:
        threads = sum(w["nthreads"] for w in self.scheduler_info["workers"].values())
        return showing.line(self._jobs, self._wanted, threads, self.ended, self._link)

    def _repr_html_(self, cluster_status: Any = None) -> str:
        return showing.table(self._jobs, repr(self)[1:-1], self._words, self._link)

    @property
    def _jobs(self) -> list[WorkerJob]:
        return list(self.workers.values())

    @property
    def _link(self) -> str | None:
        return self.dashboard_link if self.scheduler_spec["options"]["dashboard"] else None

    def _checked(self, wanted: int) -> int:
        if not 0 <= wanted <= self.offer.most:
            raise UsageError(
                f"{wanted} jobs: profile {self.offer.profile!r} lets a session start "
                f"{self.offer.most} at a time"
            )
        return wanted

    # From here on in the event loop.

    async def _begin(self) -> None:
        self._woken = asyncio.Event()
        await self._look()
        await self._look()  # was one refused? when do they start?
        self._supervisor = asyncio.ensure_future(self._supervise())

    async def _supervise(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self.LOOK)
            self._woken.clear()
            try:
                await self._look()
            except Exception:  # the next look may find what this one could not
                log.exception("a look at the worker jobs failed")

    async def _look(self) -> None:
        """See all jobs, decide, do it."""
        if self.ended is not None:
            await self._refuse_waiting()
            return
        try:
            await self._update()
            await self._estimate()
        except SchedulerUnavailableError as error:
            self._words = str(error)
        except SessionEnds as error:
            await self._end(str(error))
            return
        now = time.time()
        asked = Asked(self._wanted, self.offer.most, self._length, self.offer.ends, self._wait)
        seen = [job.seen for job in self._jobs]
        decision = decide(seen, asked, self._memory, now, self.PACE)
        self._memory, self._words = decision.memory, decision.memory.words
        await self._carry_out(decision)
        if decision.memory.ended is not None:
            await self._end(decision.memory.ended)

    async def _update(self) -> None:
        """What Slurm and the scheduler say of the jobs."""
        now = time.time()
        there = {worker.name for worker in self.scheduler.workers.values()}
        for job in self._jobs:
            job.met(str(job.name) in there, now)
        running = {job.job_id: job for job in self._jobs if not job.over}
        if not running:
            return
        said = (await self._broker.ask("status", jobs=list(running), log=20))["jobs"]
        for number, status in said.items():
            running[number].told(status)

    async def _estimate(self) -> None:
        """How long a job that is submitted now would wait; asked for when one is about to be."""
        now = time.time()
        if now - self._waited_at < self.ESTIMATE:
            return
        if not any(job.ends is not None and job.ends - now < 3600 for job in self._jobs):
            return
        self._waited_at = now
        with suppress(SchedulerError):
            start = (await self._broker.ask("estimate"))["start"]
            self._wait = max(0.0, start - now)

    async def _carry_out(self, decision: Decision) -> None:
        for name in decision.leave:
            self.workers[name].leaving = True
            task = asyncio.ensure_future(self._retire(name))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        for name in decision.drop:
            await self._forget(name)
        for _ in range(decision.start):
            self.worker_spec.update(self.new_worker_spec())
        if decision.drop or decision.start:
            await self._correct_state()

    async def _retire(self, name: str) -> None:
        """Its results to other workers, then its end. Dask's own scaling leaves out the first."""
        retired: Any = None
        with suppress(TimeoutError):
            retired = await asyncio.wait_for(
                self.scheduler.retire_workers(names=[name], close_workers=True), self.PACE.leave
            )
        if retired == {} and name in self.workers:
            self.workers[name].leaving = False  # nobody is there to take them: later
            return
        await self._forget(name)
        await self._correct_state()

    async def _forget(self, name: str) -> None:
        self.worker_spec.pop(name, None)
        for worker in list(self.scheduler.workers.values()):
            if worker.name == name:  # of a node that is gone without a word
                await self.scheduler.remove_worker(
                    address=worker.address, stimulus_id=f"nearfield-{name}"
                )

    async def _end(self, reason: str) -> None:
        self.ended = self._words = reason
        log.error("the cluster has ended: %s", reason)
        for name in list(self.worker_spec):
            await self._forget(name)
        await self._correct_state()
        await self._refuse_waiting()

    async def _refuse_waiting(self) -> None:
        """Nobody waits for workers that will not come: what was asked for is cancelled."""
        if self.scheduler.tasks and not self.scheduler.workers:
            await self.scheduler.restart(
                stimulus_id="nearfield-ended", wait_for_workers=False, timeout=1
            )

    async def _close(self) -> None:
        tasks = [task for task in (self._supervisor, *self._retiring) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._supervisor = None
        self._wanted = 0
        with suppress(SchedulerError):  # all at once; the lease ends what this could not
            running = [job for job in self._jobs if not job.over]
            await self._broker.ask("cancel", jobs=[job.job_id for job in running])
            for job in running:
                job.state = "cancelled"
        self.worker_spec.clear()
        await super()._close()
        self._broker.close()

    def _new_worker_name(self, worker_number: int) -> str:
        """No name is used again: one that is gone might come back."""
        return f"w{next(self._numbers)}"

    def _get_worker_security(self, security: Security | None) -> None:
        """dask-jobqueue would write the key to files of its own; the broker is told it."""

    def _update_worker_status(self, op: str, msg: Any) -> None:
        """Without what SpecCluster adds: it ends jobs by a clock of its own."""
        Cluster._update_worker_status(self, op, msg)
