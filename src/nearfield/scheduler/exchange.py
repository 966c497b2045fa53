"""A program that takes a request on standard input and answers on standard output, in time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from nearfield.errors import SchedulerUnavailableError


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
        self._slots = asyncio.Semaphore(at_once)
        self._late: set[asyncio.Task[tuple[bytes, bytes]]] = set()

    async def ask(self, argv: Sequence[str], text: str, *, seconds: float | None = None) -> Told:
        """Run ``argv`` with ``text`` on its standard input.

        Raises:
            SchedulerUnavailableError: it cannot be run, or does not end in time.
        """
        async with self._slots:
            return await self._run(argv, text, seconds or self._seconds)

    async def _run(self, argv: Sequence[str], text: str, seconds: float) -> Told:
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
            why = f"{argv[0]} cannot be run: {error.strerror}"
            raise SchedulerUnavailableError(why) from error
        try:
            out, err = await asyncio.wait_for(process.communicate(text.encode()), seconds)
        except TimeoutError as error:
            raise SchedulerUnavailableError(
                f"{self._who} did not answer within {seconds:g} s"
            ) from error
        finally:
            if process.returncode is None:
                self._leave(process)
        answer, words = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        return Told(process.returncode or 0, answer, words)

    async def settled(self) -> None:
        """Wait for the programs that nobody waits for any more."""
        await asyncio.gather(*self._late, return_exceptions=True)

    def _leave(self, process: asyncio.subprocess.Process) -> None:
        """Wait no longer. The answer finds nobody; the process is still collected."""
        # sudo runs as root, so we may not signal it: the launcher ends by its own alarm.
        with suppress(ProcessLookupError, PermissionError):
            process.terminate()
        late = asyncio.create_task(process.communicate())
        self._late.add(late)
        late.add_done_callback(self._late.discard)
