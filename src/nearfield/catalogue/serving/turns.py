"""A few public requests at a time: strangers must not keep the hub's users waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

AT_ONCE = 1
"""Python works on one at a time anyway: a second would only slow the hub's users down."""
WAITING = 50
RETRY_AFTER = "5"


class BusyError(Exception):
    """More questions at once than the public may keep waiting."""


class Turns:
    """So many at once, so many waiting, and no more."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._free, self._room = asyncio.Semaphore(at_once), at_once + waiting

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Raises BusyError where too many wait already."""
        if self._room <= 0:
            raise BusyError
        self._room -= 1
        try:
            async with self._free:
                yield
        finally:
            self._room += 1
