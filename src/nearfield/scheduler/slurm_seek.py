"""Jobs that are sought by name, asked of their owners: where a site hides the jobs of others.

A launcher runs as its user, who may stop it. So a look waits for the answers a moment only; one
that comes later is kept for the next look, and whoever is slow keeps nobody else from an answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from nearfield.scheduler._protocol import JobId

Key = tuple[str, str]
"""User and name of the job."""

QUICK_SECONDS = 1.0
AGAIN_SECONDS = 30.0
"""So long a name is not asked for again."""
ABSENT_SECONDS = 10.0
"""So long "no such job" is told: a submit may have come between. That none will come says
``withdraw`` alone, and looks for itself."""
PER_OWNER = 8
"""So many questions of one owner may be under way."""


class AsOwners:
    """``find`` asks one owner; ``at_once`` questions are under way at a time."""

    def __init__(
        self,
        find: Callable[[str, str], Awaitable[JobId | None]],
        *,
        at_once: int,
        clock: Callable[[], float],
    ) -> None:
        self._find, self._at_once, self._clock = find, at_once, clock
        self._asked_at: dict[Key, float] = {}
        self._asking: dict[Key, asyncio.Task[None]] = {}
        self._found: dict[Key, tuple[float, JobId | None]] = {}

    async def find_all(self, wanted: Iterable[Key]) -> dict[Key, JobId | None]:
        """What can be told now. Who is missing has not been asked, or has not answered yet."""
        asked = list(wanted)
        self._forget()
        begun = [self._begin(key) for key in self._due(asked)]
        if begun:
            await asyncio.wait(begun, timeout=QUICK_SECONDS)
        return {key: self._found.pop(key)[1] for key in asked if key in self._found}

    async def settled(self) -> None:
        """Wait for the questions that are still under way."""
        if self._asking:
            await asyncio.wait(self._asking.values())

    def _due(self, asked: list[Key]) -> list[Key]:
        due: list[Key] = []
        room = self._at_once - len(self._asking)
        busy = Counter(user for user, _ in self._asking)
        for key in asked:
            if key in self._asked_at or key in self._asking or busy[key[0]] >= PER_OWNER:
                continue
            if len(due) >= room:
                break
            busy[key[0]] += 1
            due.append(key)
        return due

    def _begin(self, key: Key) -> asyncio.Task[None]:
        self._asked_at[key] = self._clock()
        task = self._asking[key] = asyncio.create_task(self._ask(key))
        return task

    async def _ask(self, key: Key) -> None:
        try:
            answer = await self._find(*key)
            self._found[key] = self._clock(), answer
        except Exception:  # noqa: S110  # no answer is no knowledge, and the next look asks again
            pass
        finally:
            self._asking.pop(key, None)

    def _forget(self) -> None:
        now = self._clock()
        self._asked_at = {k: at for k, at in self._asked_at.items() if now - at <= AGAIN_SECONDS}
        for key, (at, answer) in list(self._found.items()):
            if now - at > (ABSENT_SECONDS if answer is None else AGAIN_SECONDS):
                del self._found[key]
                self._asked_at.pop(key, None)
