"""The host side of this session's job, which starts worker jobs: asked over a unix socket.

``sbatch`` is in no image, and what a job may be is the profile's to say. So a process outside the
image does it; ``$NEARFIELD_JOBS`` is its socket. The connection is a lease: when it closes, every
job that was started over it is cancelled. That is how they end with this process, killed or not.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import weakref
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nearfield.errors import BlockedError, SchedulerError, SchedulerUnavailableError

SOCKET = "NEARFIELD_JOBS"
LINE = 1 << 18
"""Bytes of an answer."""
ANSWER = 90.0
"""Seconds: sbatch may take its time."""
_LONGEST = 100
"""Bytes of a path that a unix socket takes."""
_HINT = (
    "nearfield.cluster() without jobs= uses the cores of this machine; "
    "in a session of the hub, a profile with `workers:` lets you start jobs"
)


class Refused(SchedulerError):
    """The broker said no; ``reason`` is its word for it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SessionEnds(SchedulerError):
    """The broker closed the connection: it cancels all jobs, as the session ends."""


@dataclass(frozen=True)
class Offer:
    """What the session may start, and where its own process is."""

    address: str
    """Of this node, for workers."""
    bind: str
    """Where to listen."""
    cores: int
    memory_mb: int
    minutes: int
    """That a job may run."""
    most: int
    """Jobs at a time."""
    possible: bool
    why: str = ""
    """Not possible."""
    profile: str = ""
    node: str = ""
    ports: tuple[int, int] | None = None
    """A firewall's, both included."""
    ends: float | None = None
    """When the session reaches its limit; seconds of Unix time."""


class Broker:
    """A connection. Made where there is no event loop, used in one."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._number = 0
        self._turn: asyncio.Lock | None = None
        _OPEN.add(connected)

    @classmethod
    def connect(cls) -> tuple[Broker, Offer]:
        """To this session's.

        Raises:
            BlockedError: there is none, or it says that no job can be started.
        """
        path = os.environ.get(SOCKET)
        if not path:
            raise BlockedError("this process is in no session that may start jobs", hint=_HINT)
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(10)
        try:
            _connect(connected, path)
            _must_be_our_own(connected, path)
            connected.sendall(b'{"id": 0, "verb": "hello", "version": 1}\n')
            offer = _offer(_result(json.loads(_line(connected))))
        except (OSError, ValueError, TypeError, Refused) as error:
            connected.close()
            raise BlockedError(
                f"the session's side that starts jobs does not answer: {error}", hint=_HINT
            ) from error
        if not offer.possible:
            connected.close()
            raise BlockedError(f"no worker job can be started: {offer.why}", hint=_HINT)
        return cls(connected), offer

    async def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        """One question at a time; others wait for their turn.

        Raises:
            Refused: by the broker, with its words.
            SchedulerUnavailableError: Slurm, or the broker, does not answer.
            SessionEnds: the connection is closed.
        """
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            try:
                return _result(await asyncio.wait_for(self._asked(verb, more), ANSWER))
            except TimeoutError as error:
                raise SchedulerUnavailableError(f"{verb}: no answer in {ANSWER:.0f} s") from error
            except (OSError, asyncio.IncompleteReadError) as error:
                raise SessionEnds("the session ends") from error

    async def _asked(self, verb: str, more: dict[str, Any]) -> Any:
        if self._streams is None:
            self._socket.setblocking(False)
            self._streams = await asyncio.open_unix_connection(sock=self._socket, limit=LINE)
        reader, writer = self._streams
        self._number += 1
        number = self._number
        writer.write(json.dumps({"id": number, "verb": verb, **more}).encode() + b"\n")
        await writer.drain()
        while True:
            answer = json.loads(await reader.readuntil())
            if answer.get("id") == number:  # not a late one to somebody who gave up
                return answer

    def close(self) -> None:
        """The jobs are cancelled then."""
        if self._streams is not None:
            self._streams[1].close()
        self._socket.close()


def _connect(connected: socket.socket, path: str) -> None:
    if len(os.fsencode(path)) <= _LONGEST:
        connected.connect(path)
        return
    folder, name = os.path.split(path)
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        connected.connect(str(Path(f"/proc/self/fd/{fd}", name)))
    finally:
        os.close(fd)


def _must_be_our_own(connected: socket.socket, path: str) -> None:
    """It is about to be told a key with which anything can be run as this account.

    The path is private in the session alone. A job that inherits the variable has another
    ``/tmp``, where anybody may listen.
    """
    told = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", told)[1] != os.getuid():
        raise OSError(f"{path} belongs to another account; ${SOCKET} is not of this session")


def _line(connected: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"\n"):
        more = connected.recv(4096)
        if not more or len(said) > LINE:
            raise OSError("it closed the connection")
        said += more
    return said


def _result(answer: Any) -> dict[str, Any]:
    if answer.get("ok"):
        result: dict[str, Any] = answer["result"]
        return result
    error = answer["error"]
    if error["reason"] == "unavailable":
        raise SchedulerUnavailableError(error["message"])
    raise Refused(error["reason"], error["message"])


def _offer(result: dict[str, Any]) -> Offer:
    said = {one.name: result[one.name] for one in fields(Offer) if one.name in result}
    if said.get("ports") is not None:
        least, most = said["ports"]
        said["ports"] = int(least), int(most)
    return Offer(**said)


_OPEN: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _forget() -> None:
    """A forked child must not keep the jobs alive when this process is gone."""
    for one in list(_OPEN):
        with suppress(OSError):
            one.close()


os.register_at_fork(after_in_child=_forget)
