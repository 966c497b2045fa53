"""One writer per run, where a source cannot keep two apart by itself.

A file that only one process can make (O_EXCL holds on shared file systems; locks often do not).
One that was left behind by a killed process is taken over: on the same host at once, elsewhere
after a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from nearfield.errors import CatalogueUnavailableError

HELD = 120.0
"""Seconds that a lease counts after it was made; longer than any one publication."""
WAIT = 30.0
_PAUSE = 0.5


@contextlib.asynccontextmanager
async def lease(
    name: str,
    run_id: str,
    folder: Path,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[None]:
    """Be the only one on this account to publish ``run_id`` in the catalogue ``name``.

    Raises:
        CatalogueUnavailableError: another process holds it, and goes on holding it.
    """
    key = hashlib.sha256(f"{name}\0{run_id}".encode()).hexdigest()[:32]
    file = folder / f"{key}.lease"
    mine = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    waited = 0.0
    while not _take(file, mine, clock()):
        if waited >= WAIT:
            raise CatalogueUnavailableError(
                f"{name}: run {run_id!r} is being published by another process",
                hint="wait for it; if it was killed, try again in two minutes",
            )
        waited += _PAUSE
        await sleep(_PAUSE)
    try:
        yield
    finally:
        _give_back(file, mine)


def _take(file: Path, mine: str, now: float) -> bool:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        with contextlib.suppress(FileNotFoundError):
            if now - file.stat().st_mtime > HELD or _left_behind(file):
                # Renamed first: of two that find it too old, one alone removes it.
                left = file.with_suffix(f".{os.getpid()}")
                file.rename(left)
                left.unlink(missing_ok=True)
        return False
    with os.fdopen(descriptor, "w") as made:
        made.write(mine)
    return True


def _left_behind(file: Path) -> bool:
    """Was it made on this host, by a process that is no more?"""
    host, _, rest = file.read_text().partition(" ")
    number = rest.partition(" ")[0]
    if host != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _give_back(file: Path, mine: str) -> None:
    """Unless it took so long that somebody else has it now."""
    with contextlib.suppress(OSError):
        if file.read_text() == mine:
            file.unlink()
