"""Who may run a program now: so many in all, and of one user only a few of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """``in_all`` turns at a time, of which one user has ``each`` at most.

    What a user asks for beyond that waits behind the user's own requests, and takes nobody else's
    place in the line.
    """

    def __init__(self, in_all: int, each: int) -> None:
        self._in_all = asyncio.Semaphore(in_all)
        self._each = each
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        """Wait for a turn of ``user`` and hold it."""
        own = self._own.get(user)
        if own is None:
            own = self._own[user] = asyncio.Semaphore(self._each)
        async with own, self._in_all:
            yield
