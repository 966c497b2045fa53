"""The server's side: one process that looks into files, ended and made anew when it hangs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    DataFileError,
    NearfieldError,
    UnknownNameError,
    UsageError,
)
from nearfield.extras import install_extra

SECONDS = 15.0
MAX_WAITING = 16
MAX_ANSWER = 8 * 1024 * 1024
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "HDF5_PLUGIN_PATH", "PYTHONPATH",
           "PYTHONNOUSERSITE", "LD_LIBRARY_PATH")  # fmt: skip


class Looker:
    """Asks the process; one question at a time."""

    def __init__(self, argv: Sequence[str] | None = None, seconds: float = SECONDS) -> None:
        # -P: nothing of the folder that the server was started in.
        self._argv = argv or (sys.executable, "-P", "-m", "nearfield_server.inside")
        self._seconds = seconds
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._ended: set[asyncio.Task[int]] = set()

    async def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the process answers.

        Raises:
            UsageError, UnknownNameError: what was asked for is not there, or too much.
            DataFileError: the file cannot be looked at, or it takes too long.
            BlockedError: a library is missing here.
            CatalogueUnavailableError: too many ask at once.
        """
        if self._waiting >= MAX_WAITING:
            raise CatalogueUnavailableError(
                "too many looks into files at once", hint="try again in some seconds"
            )
        self._waiting += 1
        try:
            async with self._lock:
                line = await self._answer(json.dumps(asked).encode() + b"\n", asked["file"])
        finally:
            self._waiting -= 1
        said = json.loads(line)
        if "error" in said:
            raise _error(asked["file"], **said["error"])
        found: dict[str, Any] = said["ok"]
        return found

    async def aclose(self) -> None:
        """End the process."""
        self._end()
        if self._ended:
            await asyncio.wait(self._ended, timeout=5)

    async def _answer(self, line: bytes, file: str) -> bytes:
        try:
            return await asyncio.wait_for(self._exchange(line), self._seconds)
        except TimeoutError:
            self._end()
            raise DataFileError(
                file,
                f"no answer in {self._seconds:g} s",
                hint="its file system may be slow or away: try again later",
            ) from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self._end()
            raise DataFileError(
                file, "what looked at it came to an end", hint="the file may be damaged"
            ) from None
        except BaseException:
            # Who asked has gone away: the answer must not be taken for the next one's.
            self._end()
            raise

    async def _exchange(self, line: bytes) -> bytes:
        if (process := self._process) is not None:
            try:
                return await self._say(process, line)
            except (ConnectionError, asyncio.IncompleteReadError):
                # It ends by itself when nobody asks for a while: maybe just now.
                if await process.wait() != 0:
                    raise
        self._process = await self._start()
        return await self._say(self._process, line)

    @staticmethod
    async def _say(process: asyncio.subprocess.Process, line: bytes) -> bytes:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - pipes
        process.stdin.write(line)
        await process.stdin.drain()
        return await process.stdout.readuntil(b"\n")

    async def _start(self) -> asyncio.subprocess.Process:
        # No token of the session's is any business of a file's.
        env = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=env | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            limit=MAX_ANSWER,
            start_new_session=True,
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        # Not waited for: one that hangs in the kernel ends when its file system comes back.
        task = asyncio.ensure_future(process.wait())
        self._ended.add(task)
        task.add_done_callback(self._ended.discard)


def _error(file: str, kind: str, message: str, hint: str | None = None) -> NearfieldError:
    if kind == "usage":
        return UsageError(message, hint=hint)
    if kind == "missing":
        error = UnknownNameError("path", "", ())
        error.message, error.hint = message, "look at the tree for what there is"
        return error
    if kind == "blocked":
        hint = hint or f"{install_extra('server')}, where the server runs"
        return BlockedError(message, hint=hint)
    return DataFileError(file, message, hint=hint)
