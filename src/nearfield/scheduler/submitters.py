"""Who runs Slurm's commands: this process's own account, or each user through the launcher."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from nearfield.config import Cluster, Config
from nearfield.errors import SchedulerError, SchedulerUnavailableError
from nearfield.scheduler import wire
from nearfield.scheduler._protocol import JobState, JobStatus, PathAccess
from nearfield.scheduler.account import SlurmAccount
from nearfield.scheduler.examination import Examination, examine
from nearfield.scheduler.jobspec import JobSpec
from nearfield.scheduler.slurm_output import is_host

T = TypeVar("T")
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.ASCII)


class Submitter(Protocol):
    """Slurm as a given user."""

    async def submit(self, spec: JobSpec) -> str: ...
    async def cancel(self, user: str, number: str) -> None: ...
    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]: ...
    async def find(self, user: str, name: str) -> str | None: ...
    async def log_tail(self, user: str, name: str, lines: int) -> str: ...
    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]: ...
    async def examine(self, user: str, config: Config) -> Examination: ...


class DirectSubmitter:
    """Acts as the account of this process, for that account only."""

    def __init__(self, cluster: Cluster, *, sessions: Path | None = None) -> None:
        self._account = SlurmAccount(cluster, sessions=sessions)

    async def submit(self, spec: JobSpec) -> str:
        return await self._as(spec.user, self._account.submit, spec)

    async def cancel(self, user: str, number: str) -> None:
        await self._as(user, self._account.cancel, number)

    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]:
        return await self._as(user, self._account.status, list(numbers))

    async def find(self, user: str, name: str) -> str | None:
        return await self._as(user, self._account.find, name)

    async def log_tail(self, user: str, name: str, lines: int) -> str:
        return await self._as(user, self._account.log_tail, name, lines)

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        return await self._as(user, self._account.access, list(paths))

    async def examine(self, user: str, config: Config) -> Examination:
        return await self._as(user, examine, config, self._account.sessions)

    async def _as(self, user: str, verb: Callable[..., T], *args: Any) -> T:
        if user != self._account.user:
            raise SchedulerError(
                f"this process runs as {self._account.user} and cannot act for {user}",
                hint="set 'submitter: sudo' for this cluster in nearfield.yaml",
            )
        return await asyncio.to_thread(verb, *args)


def _status_of(told: object) -> JobStatus:
    """A launcher's word about a job. What does not read as one is no knowledge."""
    try:
        status = JobStatus.model_validate(told)
    except ValidationError:
        return JobStatus(state=JobState.UNKNOWN, reason="the launcher's answer cannot be read")
    if status.host is not None and not is_host(status.host):
        return JobStatus(state=JobState.UNKNOWN, reason="the launcher's answer names no host")
    return status


class SudoSubmitter:
    """Acts as each user by ``sudo -n -u USER -- LAUNCHER``, with a request on standard input."""

    def __init__(
        self,
        cluster_name: str,
        launcher: Path,
        *,
        sudo: Path = Path("/usr/bin/sudo"),
        seconds: float = 60,
        at_once: int = 8,
    ) -> None:
        self._cluster_name = cluster_name
        self._launcher = launcher
        self._sudo = sudo
        self._seconds = seconds
        # A hub that comes back with 500 sessions must not start 500 processes.
        self._slots = asyncio.Semaphore(at_once)
        self._late: set[asyncio.Task[tuple[bytes, bytes]]] = set()

    async def submit(self, spec: JobSpec) -> str:
        import json

        return str(await self._ask(spec.user, "submit", spec=json.loads(spec.wire_json())))

    async def cancel(self, user: str, number: str) -> None:
        await self._ask(user, "cancel", number=number)

    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]:
        asked = list(numbers)
        found = await self._ask(user, "status", numbers=asked)
        if not isinstance(found, dict):
            raise SchedulerUnavailableError("the launcher's answer holds no states")
        return {n: _status_of(found[n]) for n in asked if n in found}

    async def find(self, user: str, name: str) -> str | None:
        found = await self._ask(user, "find", name=name)
        return None if found is None else str(found)

    async def log_tail(self, user: str, name: str, lines: int) -> str:
        return str(await self._ask(user, "log_tail", name=name, lines=lines))

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        found = await self._ask(user, "access", paths=list(paths))
        return {path: PathAccess(word) for path, word in dict(found).items()}

    async def examine(self, user: str, config: Config) -> Examination:
        """What the account finds, by the launcher's own configuration: ``config`` is not sent."""
        found = await self._ask(user, "examine")
        try:
            return Examination.model_validate(found)
        except ValidationError as error:
            raise SchedulerUnavailableError(
                "the launcher's answer cannot be read",
                hint="do hub and launcher run the same release of nearfield?",
            ) from error

    async def _ask(self, user: str, verb: str, **fields: Any) -> Any:
        if not _USER.fullmatch(user):
            raise SchedulerError(f"not a user name of this site: {user[:64]!r}")
        text = wire.request(verb, self._cluster_name, **fields)
        async with self._slots:
            code, out, err = await self._run(user, text)
        if code == 0 and out.strip():
            return wire.read_answer(out)
        raise self._sudo_refusal(user, code, err)

    async def _run(self, user: str, text: str) -> tuple[int, str, str]:
        argv = [str(self._sudo), "-n", "-u", user, "--", str(self._launcher)]
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                cwd="/",
            )
        except OSError as error:
            why = f"{self._sudo} cannot be run: {error.strerror}"
            raise SchedulerUnavailableError(why) from error
        try:
            out, err = await asyncio.wait_for(process.communicate(text.encode()), self._seconds)
        except TimeoutError as error:
            raise SchedulerUnavailableError(
                f"the launcher did not answer within {self._seconds:g} s"
            ) from error
        finally:
            if process.returncode is None:
                self._leave(process)
        answer, words = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        return process.returncode or 0, answer, words

    def _leave(self, process: asyncio.subprocess.Process) -> None:
        """Wait no longer. The launcher's answer finds nobody; its process is still collected."""
        # sudo runs as root, so we may not signal it: the launcher ends by its own alarm.
        with suppress(ProcessLookupError, PermissionError):
            process.terminate()
        late = asyncio.create_task(process.communicate())
        self._late.add(late)
        late.add_done_callback(self._late.discard)

    def _sudo_refusal(self, user: str, code: int, err: str) -> SchedulerError:
        words = " ".join(err.split())[-400:] or f"exit code {code}"
        if "sudo:" in err or "not allowed" in err or "password" in err:
            return SchedulerError(
                f"sudo does not let this account start the launcher as {user}: {words}",
                hint=f'sudoers needs: HUB ALL=(%GROUP) NOPASSWD:NOSETENV: {self._launcher} ""',
            )
        return SchedulerUnavailableError(f"the launcher failed as {user}: {words}")


def open_submitter(cluster_name: str, cluster: Cluster) -> Submitter:
    """How the configuration says that this cluster is spoken to."""
    if cluster.submitter == "sudo" and cluster.launcher is not None:
        return SudoSubmitter(cluster_name, cluster.launcher)
    return DirectSubmitter(cluster)
