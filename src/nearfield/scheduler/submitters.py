"""Who runs Slurm's commands: this process's own account, or each user through the launcher."""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nearfield.config import Cluster, Config
from nearfield.errors import SchedulerError, SchedulerUnavailableError
from nearfield.scheduler import answers, images, staging, wire
from nearfield.scheduler._protocol import JobStatus, PathAccess
from nearfield.scheduler.account import SlurmAccount
from nearfield.scheduler.examination import Examination, examine
from nearfield.scheduler.exchange import Exchange, Told
from nearfield.scheduler.jobspec import JobSpec

T = TypeVar("T")
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.ASCII)
SUDO_RULE = '{hub} ALL=(%{group}) NOPASSWD:NOSETENV:NOLOG_INPUT: {launcher} ""'
"""What sudoers must say, and all that it may. The request on standard input holds the session's
tokens, so no log of sudo's may keep it."""


class Submitter(Protocol):
    """Slurm as a given user."""

    async def submit(self, spec: JobSpec) -> str: ...
    async def cancel(self, user: str, number: str) -> None: ...
    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]: ...
    async def find(self, user: str, name: str) -> str | None: ...
    async def withdraw(self, user: str, name: str) -> bool: ...
    async def log_tail(self, user: str, name: str, lines: int) -> str: ...
    async def image(self, user: str, name: str) -> dict[str, Any]: ...
    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]: ...
    async def examine(self, user: str, config: Config) -> Examination: ...
    async def estimate(self, spec: JobSpec) -> datetime: ...


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

    async def withdraw(self, user: str, name: str) -> bool:
        return await self._as(user, self._account.withdraw, name)

    async def log_tail(self, user: str, name: str, lines: int) -> str:
        return await self._as(user, self._account.log_tail, name, lines)

    async def image(self, user: str, name: str) -> dict[str, Any]:
        return await self._as(user, self._account.image, name)

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        return await self._as(user, self._account.access, list(paths))

    async def examine(self, user: str, config: Config) -> Examination:
        return await self._as(user, examine, config, self._account.sessions)

    async def estimate(self, spec: JobSpec) -> datetime:
        return await self._as(spec.user, self._account.estimate, spec)

    async def _as(self, user: str, verb: Callable[..., T], *args: Any) -> T:
        if user != self._account.user:
            raise SchedulerError(
                f"this process runs as {self._account.user} and cannot act for {user}",
                hint="set 'submitter: sudo' for this cluster in nearfield.yaml",
            )
        return await asyncio.to_thread(verb, *args)


class LauncherSubmitter(ABC):
    """Acts as each user through ``nearfield-launch``. Subclasses say how it is reached."""

    _cluster_name: str

    @abstractmethod
    async def _tell(self, user: str, request: str) -> Told:
        """Give the launcher of ``user`` a request. Raises SchedulerUnavailableError."""

    @abstractmethod
    def _refusal(self, user: str, told: Told) -> SchedulerError:
        """What it means that the launcher did not answer."""

    async def submit(self, spec: JobSpec) -> str:
        told = await self._ask(spec.user, "submit", spec=json.loads(spec.wire_json()))
        return answers.number_of(told)

    async def cancel(self, user: str, number: str) -> None:
        await self._ask(user, "cancel", number=number)

    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]:
        asked = list(numbers)
        return answers.states_of(await self._ask(user, "status", numbers=asked), asked)

    async def find(self, user: str, name: str) -> str | None:
        found = await self._ask(user, "find", name=name)
        return None if found is None else answers.number_of(found)

    async def withdraw(self, user: str, name: str) -> bool:
        return await self._ask(user, "withdraw", name=name) is True

    async def log_tail(self, user: str, name: str, lines: int) -> str:
        told = await self._ask(user, "log_tail", name=name, lines=lines)
        return staging.last_lines(told, lines) if isinstance(told, str) else ""

    async def image(self, user: str, name: str) -> dict[str, Any]:
        return images.told_of_image(await self._ask(user, "image", name=name))

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        asked = list(paths)
        return answers.access_of(await self._ask(user, "access", paths=asked), asked)

    async def examine(self, user: str, config: Config) -> Examination:
        """What the account finds, by the launcher's own configuration: ``config`` is not sent."""
        return answers.examination_of(await self._ask(user, "examine"))

    async def estimate(self, spec: JobSpec) -> datetime:
        told = await self._ask(spec.user, "estimate", spec=json.loads(spec.wire_json()))
        return answers.time_of(told)

    async def _ask(self, user: str, verb: str, **fields: Any) -> Any:
        if not _USER.fullmatch(user):
            raise SchedulerError(f"not a user name of this site: {user[:64]!r}")
        told = await self._tell(user, wire.request(verb, self._cluster_name, **fields))
        if told.code == 0 and told.out.strip():
            return wire.read_answer(told.out)
        raise self._refusal(user, told)


class SudoSubmitter(LauncherSubmitter):
    """By ``sudo -n -u USER -- LAUNCHER``, with a request on standard input."""

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
        self.exchange = Exchange("the launcher", seconds=seconds, at_once=at_once)

    async def _tell(self, user: str, request: str) -> Told:
        argv = [str(self._sudo), "-n", "-u", user, "--", str(self._launcher)]
        return await self.exchange.ask(argv, request, user=user)

    def _refusal(self, user: str, told: Told) -> SchedulerError:
        return why_no_launcher(user, told, str(self._launcher))


def why_no_launcher(user: str, told: Told, launcher: str) -> SchedulerError:
    """sudo's refusal, or a launcher that failed: what its words on standard error say."""
    words = wire.one_line(told.err[-400:], 400) or f"exit code {told.code}"
    if "sudo:" in told.err or "not allowed" in told.err or "password" in told.err:
        return SchedulerError(
            f"sudo does not let this account start the launcher as {user}: {words}",
            hint="sudoers needs: " + SUDO_RULE.format(hub="HUB", group="GROUP", launcher=launcher),
        )
    return SchedulerUnavailableError(f"the launcher failed as {user}: {words}")


def open_submitter(cluster_name: str, cluster: Cluster) -> Submitter:
    """How the configuration says that this cluster is spoken to."""
    if cluster.submitter == "ssh" and cluster.ssh is not None:
        from nearfield.scheduler.ssh import Gateway, SshSubmitter

        return SshSubmitter(cluster_name, Gateway(cluster.ssh))
    if cluster.submitter == "sudo" and cluster.launcher is not None:
        return SudoSubmitter(cluster_name, cluster.launcher)
    return DirectSubmitter(cluster)
