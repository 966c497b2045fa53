"""Looks at files that may never answer: a network file system that is down holds whoever asks it.

Each look has a thread of its own. The process has few others, for everything (names are looked up
in them too), and one that hangs is never given back.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

ANSWER_SECONDS = 5.0
"""A look that takes longer is waited for by nobody, and by nobody who asks later."""

T = TypeVar("T")


def apart(ask: Callable[[], T]) -> Future[T]:
    """Ask in a thread of its own, which does not keep the hub from ending."""
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # it belongs to whoever asked
            answer.set_exception(error)

    threading.Thread(target=work, name="nearfield-look", daemon=True).start()
    return answer


class Looks(Generic[T]):
    """One look at each thing at a time, shared by all who ask meanwhile."""

    def __init__(self) -> None:
        self._begun: dict[Hashable, tuple[float, Future[T]]] = {}

    async def at(self, thing: Hashable, ask: Callable[[], T]) -> T | None:
        """What ``ask`` answers; None where there is no answer in time."""
        since, answer = self._begun.get(thing, (0.0, None))
        if answer is None or answer.done():
            since, answer = self._begun[thing] = time.monotonic(), apart(ask)
        left = since + ANSWER_SECONDS - time.monotonic()
        if left <= 0:
            return None
        # Not wait_for, which would cancel what others wait for too.
        waiting = asyncio.wrap_future(answer)
        await asyncio.wait([waiting], timeout=left)
        return waiting.result() if waiting.done() else None
