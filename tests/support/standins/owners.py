"""The accounts whose jobs a hub may not see, as a submitter that answers from a table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from nearfield.scheduler import JobId, JobSpec, JobState, JobStatus, PathAccess
from standins.commands import ROW


class Owners:
    """A submitter that answers from a table and remembers who was asked."""

    def __init__(self, answers: dict[str, JobStatus | Exception]) -> None:
        self.answers, self.asked = answers, list[tuple[str, tuple[str, ...]]]()
        self.at, self._when = 0.0, list[tuple[str, float]]()

    def times(self, user: str) -> list[float]:
        return [at for who, at in self._when if who == user]

    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]:
        self.asked.append((user, tuple(numbers)))
        self._when.append((user, self.at))
        found = {}
        for number in self.asked[-1][1]:
            answer = self.answers.get(number)
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                found[number] = answer
        return found

    async def submit(self, spec: JobSpec) -> str:
        return "1"

    async def cancel(self, user: str, number: str) -> None: ...

    async def find(self, user: str, name: str) -> str | None:
        return None

    async def withdraw(self, user: str, name: str) -> bool:
        return False

    async def log_tail(self, user: str, name: str, lines: int) -> str:
        return ""

    async def image(self, user: str, name: str) -> dict[str, Any]:
        return {}

    async def access(self, user: str, paths: Iterable[str]) -> dict[str, PathAccess]:
        return {}


def job(number: int, user: str = "alice") -> JobId:
    return JobId(cluster="lab", user=user, number=str(number))


def status(state: JobState, code: int | None = None) -> JobStatus:
    return JobStatus(state=state, exit_code=code)


def row(number: int, word: str, user: str = "alice") -> str:
    """As the hub's own look has it."""
    return f"{user}|{ROW.format(number, word)}"


class Slow(Owners):
    """Owners of whom some keep the hub waiting until they are let go."""

    def __init__(self, answers: dict[str, JobStatus | Exception], *slow: str) -> None:
        super().__init__(answers)
        self.slow, self.let_go = slow, asyncio.Event()

    async def status(self, user: str, numbers: Iterable[str]) -> dict[str, JobStatus]:
        found = await super().status(user, numbers)
        if user in self.slow:
            await self.let_go.wait()
        return found
