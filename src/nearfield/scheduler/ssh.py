"""Slurm on a submit host, through ssh to its gateway account.

The hub's key may start one program there, :mod:`nearfield.gateway`. What it is to do is the first
line of standard input; a launcher's request, or a command's arguments, follow. Nothing is said by
ssh's own command line: the other side refuses any.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from pathlib import Path

from nearfield.config import SshConfig
from nearfield.errors import SchedulerError, SchedulerUnavailableError
from nearfield.scheduler import wire
from nearfield.scheduler.commands import Result
from nearfield.scheduler.exchange import Exchange, Told
from nearfield.scheduler.submitters import LauncherSubmitter, why_no_launcher

SSH = "/usr/bin/ssh"
CONNECT_SECONDS = 10
SHARE_SECONDS = 15
"""So long a connection outlives its last question. Short, for a key may have been withdrawn."""
_ITSELF_FAILED = 255
_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "GlobalKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    # One connection serves the questions of a few seconds: measured, 0.16 s each instead of 0.48 s
    # on a busy machine, and 5 ms of this host's processor instead of 74 ms.
    "ControlMaster=auto",
    f"ControlPersist={SHARE_SECONDS}",
    "RequestTTY=no",
    f"ConnectTimeout={CONNECT_SECONDS}",
    "ConnectionAttempts=1",
    # A submit host that vanished is noticed well before anybody's patience ends.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
)


class Gateway:
    """Speaks to one submit host."""

    def __init__(
        self,
        settings: SshConfig,
        *,
        ssh: str = SSH,
        seconds: float = 75,
        at_once: int = 8,
        folder: Path | None = None,
    ) -> None:
        self._settings = settings
        # Who can open the connection's socket can use it: it lies in a folder of this account's.
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="nearfield-ssh-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        options = [
            *_OPTIONS,
            f"UserKnownHostsFile={settings.known_hosts}",
            f"IdentityFile={settings.key}",
            f"ControlPath={folder}/shared",
        ]
        self._argv = [
            *(ssh, "-F", "/dev/null", "-T"),
            *(part for option in options for part in ("-o", option)),
            *("-p", str(settings.port), "-l", settings.user, "--", settings.host),
        ]
        self.exchange = Exchange(
            f"the submit host {settings.host}", seconds=seconds, at_once=at_once
        )

    async def ask(
        self, what: str, text: str, *, user: str | None = None, seconds: float | None = None
    ) -> Told:
        """Have the gateway do ``what``, with ``text`` for the program that it starts.

        ``user``: whom it is done for; None: the hub itself.

        Raises:
            SchedulerUnavailableError: no connection, or no answer in time.
            SchedulerError: the gateway refuses this.
        """
        told = await self.exchange.ask(self._argv, f"{what}\n{text}", user=user, seconds=seconds)
        where = f"{self._settings.user}@{self._settings.host}"
        if told.code == _ITSELF_FAILED:
            words = " ".join(told.err.split())[-300:] or "the connection broke"
            raise SchedulerUnavailableError(
                f"no connection to the submit host {where}: {words}", hint=_hint(words)
            )
        if any(line.startswith(wire.GATEWAY_NAME) for line in told.err.splitlines()):
            raise SchedulerError(f"{where}: {' '.join(told.err.split())[-300:]}")
        return told


def _hint(words: str) -> str | None:
    if "Host key verification failed" in words or "IDENTIFICATION HAS CHANGED" in words:
        return "ask its administrators whether its key changed; it must be in ssh.known_hosts"
    if "Permission denied (" in words:
        return "the public key belongs in authorized_keys of the gateway account"
    return None


class SshSubmitter(LauncherSubmitter):
    """As each user through the gateway, which runs sudo and the launcher there."""

    def __init__(self, cluster_name: str, gateway: Gateway) -> None:
        self._cluster_name, self._gateway = cluster_name, gateway
        self.queries = SshQueries(cluster_name, gateway)

    async def _tell(self, user: str, request: str) -> Told:
        return await self._gateway.ask(f"{wire.GATEWAY} as {user}", request, user=user)

    def _refusal(self, user: str, told: Told) -> SchedulerError:
        return why_no_launcher(user, told, "…/bin/nearfield-launch")


class SshQueries:
    """Slurm's reading commands as the gateway account."""

    def __init__(self, cluster_name: str, gateway: Gateway) -> None:
        self._cluster_name, self._gateway = cluster_name, gateway

    async def ask(self, command: str, *args: str, seconds: float) -> Result:
        question = json.dumps({"command": command, "args": args, "seconds": seconds})
        told = await self._gateway.ask(
            f"{wire.GATEWAY} query {self._cluster_name}",
            question,
            seconds=seconds + CONNECT_SECONDS,
        )
        if told.code != 0 or not told.out.strip():
            words = " ".join(told.err.split())[-300:] or f"exit code {told.code}"
            raise SchedulerUnavailableError(f"the gateway failed: {words}")
        found = wire.read_answer(told.out)
        try:
            return Result(int(found["code"]), str(found["out"]), str(found["err"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SchedulerUnavailableError("the gateway's answer cannot be read") from error
