"""A worker's job, as dask-jobqueue sees one: asked for at the broker instead of by sbatch."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import dask.config
from distributed.security import Security

from nearfield.errors import SchedulerError, SchedulerUnavailableError
from nearfield.workers.broker import Broker, Refused
from nearfield.workers.listening import in_url
from nearfield.workers.supervising import OVER, REFUSED, UNAVAILABLE, Seen


@contextmanager
def _signals_left_alone() -> Iterator[None]:
    """dask-jobqueue 0.9.0 takes SIGINT for itself when it is imported (its issue 696).

    Ctrl-C would then end the process, and outside of the main thread the import is an error.
    """
    before = signal.signal
    signal.signal = lambda *_: None
    try:
        yield
    finally:
        signal.signal = before


with _signals_left_alone():
    from dask_jobqueue.core import Job, JobQueueCluster

__all__ = ["JobQueueCluster", "WorkerJob"]

_NAME = "nearfield"
# What dask-jobqueue asks its configuration for; nothing of it reaches a job.
_NOTHING = (
    "name", "interface", "death-timeout", "local-directory", "extra", "job-extra", "env-extra",
    "header-skip", "log-directory", "shebang", "python", "shared-temp-directory",
)  # fmt: skip
_EMPTY = ("worker-extra-args", "job-script-prologue", "job-extra-directives", "job-directives-skip")
dask.config.update_defaults(
    {
        "jobqueue": {
            _NAME: {
                **dict.fromkeys(_NOTHING),
                **{name: [] for name in _EMPTY},
                "worker-command": "",
                "scheduler-options": {},
            }
        }
    }
)


class WorkerJob(Job):
    """One job, one node, one process of some threads.

    Starting it raises nothing: what was wrong is its ``state`` and ``words``, for the supervisor.
    """

    config_name = _NAME

    def __init__(
        self,
        scheduler: str | None = None,
        name: str | None = None,
        *,
        broker: Broker,
        address: str,
        credentials: Security,
        minutes: int | None,
        **settings: Any,
    ) -> None:
        super().__init__(scheduler, name, processes=1, **settings)
        self._broker, self._address = broker, address
        self._credentials, self._minutes = credentials, minutes
        self.asked = time.time()
        self.state, self.words, self.node = "pending", "", ""
        self.began: float | None = None
        """Of a pending one Slurm's estimate."""
        self.ends: float | None = None
        self.arrived: float | None = None
        self.gone: float | None = None
        self.leaving = False

    def job_script(self) -> str:
        return "# made on the node, from the session's profile\n"

    @property
    def seen(self) -> Seen:
        return Seen(
            str(self.name),
            self.asked,
            self.state,
            None if self.state == "pending" else self.began,
            self.ends,
            self.arrived,
            self.gone,
            self.leaving,
            self.words,
        )

    @property
    def over(self) -> bool:
        return self.job_id is None or self.state in OVER

    def told(self, status: dict[str, Any]) -> None:
        """What the broker says of it."""
        self.state = status["state"]
        self.node = status.get("node") or self.node
        self.began, self.ends = status.get("start"), status.get("ends")
        failure = status.get("failure") or {}
        if self.state in OVER:
            last = " | ".join((status.get("log") or "").splitlines()[-5:])
            code = status.get("exit_code")
            self.words = failure.get("message") or (
                f"its job {self.job_id} ended: {self.state}"
                + (f", exit code {code}" if code else "")
                + (f", last words: {last}" if last else "")
            )

    def met(self, there: bool, now: float) -> None:
        """Whether its worker is in the cluster."""
        if there:
            self.arrived, self.gone = self.arrived or now, None
        elif self.arrived is not None:
            self.gone = self.gone or now

    async def start(self) -> None:
        # A scheduler that listens on all addresses does not know by which one others reach it.
        scheduler = f"tls://{in_url(self._address)}:{urlsplit(self.scheduler).port}"
        of = self._credentials.get_tls_config_for_role("worker")
        asked = {
            "name": self.name,
            "scheduler": scheduler,
            "python": sys.executable,
            "threads": self.worker_cores,
            "tls": {"ca": of["ca_file"], "cert": of["cert"], "key": of["key"]},
        }
        if self._minutes is not None:
            asked["minutes"] = self._minutes
        try:
            self.job_id = str((await self._broker.ask("start", **asked))["job"])
        except SchedulerUnavailableError as error:
            self.state, self.words = UNAVAILABLE, str(error)
        except SchedulerError as error:
            # At the limit, jobs that were cancelled a moment ago still count.
            again = isinstance(error, Refused) and error.reason == "limit"
            self.state, self.words = "failed" if again else REFUSED, str(error)
        self.asked = time.time()
        await super(Job, self).start()

    async def close(self) -> None:
        if not self.over:
            with suppress(SchedulerError):  # the lease ends it, if this could not
                await self._broker.ask("cancel", jobs=[self.job_id])
        await super(Job, self).close()
