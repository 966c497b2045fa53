"""This machine as a cluster: processes of the current account, for laptops and the demo.

The same folder and the same script as on Slurm. One keeper process per job
(:mod:`nearfield.scheduler.local_keeper`) outlives the hub, and small files in the state folder
tell a new hub what runs::

    <number>.json   what was submitted
    <number>.pid    the keeper and the job, each with its start time: a pid alone may be reused
    <number>.end    exit code, and whether it ended by itself, by a cancel, or at its time limit
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nearfield.config import user_data_dir
from nearfield.errors import SchedulerUnavailableError, SubmitError
from nearfield.scheduler import images, local_keeper, render, rights, staging
from nearfield.scheduler._protocol import JobId, JobState, JobStatus, PathAccess, QueuedJob
from nearfield.scheduler.availability import Availability, NodeGroup, StartRange
from nearfield.scheduler.commands import job_environment
from nearfield.scheduler.jobspec import JobSpec

ADDRESS = "127.0.0.1"
KEEP_RECORDS = 1000


class LocalScheduler:
    """The Scheduler of this machine, for the current account and nobody else."""

    def __init__(
        self, cluster: str = "local", *, state: Path | None = None, sessions: Path | None = None
    ) -> None:
        self.cluster = cluster
        self._state = state or user_data_dir() / "jobs"
        # With a state folder of its own, everything stays together there.
        self._sessions = sessions or (state / "sessions" if state else staging.sessions_dir())

    async def submit(self, spec: JobSpec) -> JobId:
        # Two people's sessions under one account could read each other's files and tokens.
        account = pwd.getpwuid(os.geteuid()).pw_name
        if spec.user != account:
            raise SubmitError(
                f"the local scheduler runs as {account} and starts no session for {spec.user}",
                hint="log in as that account, or use a Slurm cluster with 'submitter: sudo'",
            )
        return await asyncio.to_thread(self._submit, spec)

    async def find(self, user: str, name: str) -> JobId | None:
        return await asyncio.to_thread(self._find, user, name)

    async def withdraw(self, user: str, name: str) -> bool:
        return await asyncio.to_thread(staging.withdraw, self._sessions, name)

    async def find_all(
        self, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], JobId | None]:
        return {(user, name): await self.find(user, name) for user, name in wanted}

    async def queue(self) -> tuple[QueuedJob, ...]:
        return ()  # nothing waits here

    async def status(self, ids: Iterable[JobId]) -> dict[JobId, JobStatus]:
        asked = list(ids)
        return await asyncio.to_thread(lambda: {job: self._status(job) for job in asked})

    async def cancel(self, job: JobId) -> None:
        await asyncio.to_thread(self._cancel, job)

    async def log_tail(self, job: JobId, name: str, lines: int = 30) -> str:
        return await asyncio.to_thread(staging.log_tail, self._sessions, name, lines)

    async def image(self, job: JobId, name: str) -> dict[str, Any]:
        return await asyncio.to_thread(images.image_of_session, self._sessions, name)

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        return await asyncio.to_thread(rights.access, list(paths))

    async def estimate(self, spec: JobSpec) -> StartRange:
        """At once: this machine has no queue."""
        now = datetime.now(UTC)
        return StartRange(earliest=now, latest=now)

    async def availability(self) -> Availability:
        """This machine as one partition."""
        # Those that this process may use: in a container fewer than there are.
        cores = len(os.sched_getaffinity(0))
        idle = max(0, cores - round(os.getloadavg()[0]))
        group = NodeGroup(
            partition=self.cluster,
            nodes=1,
            nodes_idle=int(idle == cores),
            cores=cores,
            cores_idle=idle,
        )
        return Availability(groups=(group,), default_partition=self.cluster)

    # ------------------------------------------------------------------ one job

    def _submit(self, spec: JobSpec) -> JobId:
        images.refuse_image(spec.task, self._sessions)
        folder = staging.stage(spec, self._sessions, bind_address=ADDRESS)
        try:
            number = self._record(spec)
            keeper = [
                sys.executable,
                "-I",
                str(Path(local_keeper.__file__)),
                str(self._state),
                number,
                str(folder),
                str(spec.hardware.minutes),
                str(render.grace_of(spec)),
            ]
            done = subprocess.run(
                keeper,
                input=render.script(spec, folder).encode(),
                env=job_environment(None),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                timeout=30,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SchedulerUnavailableError(f"the job's keeper did not start: {error}") from error
        if done.returncode != 0:
            words = done.stderr.decode("utf-8", "replace").strip()[-500:]
            raise SubmitError(f"the job's keeper did not start: {words}")
        staging.prune(self._sessions)
        self._prune()
        return JobId(cluster=self.cluster, user=spec.user, number=number)

    def _record(self, spec: JobSpec) -> str:
        """Take the next number. Two hubs on one folder cannot take the same."""
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = json.dumps(
            {
                "name": spec.name,
                "user": spec.user,
                "minutes": spec.hardware.minutes,
                "submitted": time.time(),
            }
        )
        number = max(self._numbers(), default=0) + 1
        while True:
            try:
                with (self._state / f"{number}.json").open("x") as file:
                    file.write(content)
            except FileExistsError:
                number += 1
            else:
                return str(number)

    def _numbers(self) -> list[int]:
        try:
            return [int(p.stem) for p in self._state.glob("*.json") if p.stem.isdigit()]
        except OSError:
            return []

    def _find(self, user: str, name: str) -> JobId | None:
        for number in sorted(self._numbers(), reverse=True):
            record = self._read(f"{number}.json") or {}
            if record.get("name") == name and record.get("user") == user:
                job = JobId(cluster=self.cluster, user=user, number=str(number))
                return None if self._status(job).state.finished else job
        return None

    def _status(self, job: JobId) -> JobStatus:
        if job.cluster != self.cluster or not job.number.isdigit():
            return JobStatus(state=JobState.UNKNOWN, reason="no job of this machine")
        # In this order: a keeper that ends after this has written the end before it is looked for.
        record, kept = self._read(f"{job.number}.json"), self._read(f"{job.number}.pid")
        alive = kept is not None and _alive(kept, "keeper", "ticks")
        if record is None or record.get("user") != job.user:
            return JobStatus(state=JobState.FAILED, reason="no record of this job")
        name, started = str(record.get("name", "")), (kept or {}).get("started")
        status = JobStatus(
            state=JobState.RUNNING,
            host=ADDRESS,
            name=name,
            started=datetime.fromtimestamp(started, UTC) if started else None,
            ends=datetime.fromtimestamp(started, UTC) + timedelta(minutes=record["minutes"])
            if started
            else None,
        )
        if (ended := self._read(f"{job.number}.end")) is not None:
            return status.model_copy(update=_ending(ended))
        if alive:
            return status if started else JobStatus(state=JobState.PENDING, name=name)
        if kept is None and time.time() - record["submitted"] < 60:
            return JobStatus(state=JobState.PENDING, name=name)
        if kept is not None and "job" in kept and _alive(kept, "job", "job_ticks"):
            return status  # its keeper was killed; the job itself lives
        return status.model_copy(update={"state": JobState.FAILED, "reason": "lost"})

    def _cancel(self, job: JobId) -> None:
        kept = self._read(f"{job.number}.pid") if job.number.isdigit() else None
        if kept is None or self._status(job).state.finished:
            return
        if _alive(kept, "keeper", "ticks"):
            os.kill(kept["keeper"], signal.SIGTERM)
        elif "job" in kept and _alive(kept, "job", "job_ticks"):
            local_keeper.signal_job(kept["job"], signal.SIGTERM)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self._state / name).read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _prune(self) -> None:
        for number in sorted(self._numbers())[:-KEEP_RECORDS]:
            if (self._state / f"{number}.end").exists():
                for suffix in ("json", "pid", "end"):
                    (self._state / f"{number}.{suffix}").unlink(missing_ok=True)


def _alive(kept: dict[str, Any], pid: str, ticks: str) -> bool:
    found = local_keeper.start_ticks(kept[pid])
    return found is not None and found == kept[ticks]


def _ending(ended: dict[str, Any]) -> dict[str, Any]:
    code = int(ended["exit_code"])
    states = {"cancel": JobState.CANCELLED, "timeout": JobState.TIMEOUT}
    state = states.get(ended["by"], JobState.COMPLETED if code == 0 else JobState.FAILED)
    return {"state": state, "exit_code": code}
