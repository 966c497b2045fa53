"""A program that takes a request on standard input and answers on standard output, in time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler.turns import Turns

EACH = 2
"""So many programs run for one user at once: who stops them, or whose home hangs, delays nobody
else."""
OWN = 2
"""So many run for the hub itself, beside those for users."""
MAX_ANSWER = 8 * 1024 * 1024
"""More than any answer needs: the hub keeps no more of what a user's own process may write."""


@dataclass(frozen=True)
class Told:
    """How the program ended and what it said."""

    code: int
    out: str
    err: str


class Exchange:
    """Runs such programs, a few at a time. ``who`` names the one that answers, for messages."""

    def __init__(self, who: str, *, seconds: float, at_once: int) -> None:
        self._who, self._seconds = who, seconds
        # A hub that comes back with 500 sessions must not start 500 processes.
        self._turns, self._own = Turns(at_once, EACH), Turns(OWN, OWN)
        self._late: set[asyncio.Future[None]] = set()
        self._stuck: Counter[str] = Counter()
        """User → how many of the user's programs nobody waits for any more."""

    async def ask(
        self, argv: Sequence[str], text: str, *, user: str | None, seconds: float | None = None
    ) -> Told:
        """Run ``argv`` with ``text`` on its standard input, for a user; None: for the hub itself.

        Raises:
            SchedulerUnavailableError: it cannot be run, says too much, or does not end in time;
                or too many that were run for the user before have not ended yet.
        """
        if user is None:
            async with self._own.of(""):
                return await self._run(argv, text, "", seconds or self._seconds)
        async with self._turns.of(user):
            if self._stuck[user] >= EACH:
                raise SchedulerUnavailableError(
                    f"{self._who} has not ended {self._stuck[user]} earlier requests for {user}",
                    hint="does the home folder of that account hang?",
                )
            return await self._run(argv, text, user, seconds or self._seconds)

    async def _run(self, argv: Sequence[str], text: str, user: str, seconds: float) -> Told:
        try:
            process, heard = await asyncio.get_running_loop().subprocess_exec(
                _Listener,
                *argv,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                cwd="/",
            )
        except OSError as error:
            why = f"{argv[0]} cannot be run: {error.strerror}"
            raise SchedulerUnavailableError(why) from error
        try:
            request = cast("asyncio.WriteTransport", process.get_pipe_transport(0))
            request.write(text.encode())
            request.close()
            async with asyncio.timeout(seconds):
                await asyncio.wait((heard.ended, heard.enough), return_when="FIRST_COMPLETED")
        except TimeoutError as error:
            raise SchedulerUnavailableError(
                f"{self._who} did not answer within {seconds:g} s"
            ) from error
        finally:
            if not heard.ended.done():
                self._leave(process, heard, user)
        if heard.enough.done():
            raise SchedulerUnavailableError(f"{self._who}: the answer is too long")
        answer, words = (heard.said[fd].decode("utf-8", "replace") for fd in (1, 2))
        return Told(process.get_returncode() or 0, answer, words)

    async def settled(self) -> None:
        """Wait for the programs that nobody waits for any more."""
        if self._late:
            await asyncio.wait(self._late)

    def _leave(self, process: asyncio.SubprocessTransport, heard: _Listener, user: str) -> None:
        """Wait no longer and listen no longer; the process is still collected."""
        # sudo runs as root, so we may not signal it: the launcher ends by its own alarm.
        with suppress(ProcessLookupError, PermissionError):
            process.terminate()
        for fd in (1, 2):
            if (pipe := process.get_pipe_transport(fd)) is not None:
                pipe.close()
        request = cast("asyncio.WriteTransport", process.get_pipe_transport(0))
        if request.get_write_buffer_size():
            request.abort()  # an ordinary close waits for somebody who reads it
        self._late.add(heard.ended)
        self._stuck[user] += 1
        heard.ended.add_done_callback(lambda ended: self._collected(ended, user))

    def _collected(self, ended: asyncio.Future[None], user: str) -> None:
        self._late.discard(ended)
        self._stuck[user] -= 1
        if not self._stuck[user]:
            del self._stuck[user]


class _Listener(asyncio.SubprocessProtocol):
    """Keeps what a program says, up to MAX_ANSWER."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.said = {1: bytearray(), 2: bytearray()}
        self.ended: asyncio.Future[None] = loop.create_future()
        """It has ended, and its pipes are closed."""
        self.enough: asyncio.Future[None] = loop.create_future()
        """It has said more than anybody wants to know."""
        self._process: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if self.enough.done():
            return
        self.said[fd] += data
        if sum(map(len, self.said.values())) > MAX_ANSWER:
            self.said[fd].clear()
            self.enough.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._process is not None:
            self._process.close()
        if not self.ended.done():
            self.ended.set_result(None)
