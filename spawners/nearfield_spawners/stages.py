"""How far a start has come: stages with a name, a percentage and a time.

JupyterHub's progress page reads them as events, the sessions API as a list, and they are saved
with the spawner's state, so that a hub that comes back shows what went before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class StageName(StrEnum):
    """The way of a session from click to ready, in order."""

    RIGHTS = "rights"
    PLACED = "placed"
    IMAGE = "image"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    QUEUED = "queued"
    ALLOCATED = "allocated"
    CHECKS = "checks"
    CONTAINER = "container"
    SERVER = "server"
    READY = "ready"


PERCENT = {
    StageName.RIGHTS: 5,
    StageName.PLACED: 8,
    StageName.IMAGE: 10,
    StageName.SUBMITTING: 15,
    StageName.SUBMITTED: 20,
    StageName.QUEUED: 30,
    StageName.ALLOCATED: 50,
    StageName.CHECKS: 55,
    StageName.CONTAINER: 60,
    StageName.SERVER: 75,
    StageName.READY: 90,
}
"""JupyterHub itself says 100 once the server has answered it."""
OF_THE_NODE = {
    StageName.CHECKS: "Checking image and data on the node",
    StageName.CONTAINER: "Starting the container",
    StageName.SERVER: "Starting the server",
}
"""The stages that only the node knows of, and all that it may say: the words are ours."""
KEPT = 50
"""Stages that are remembered; a job that waits for days says many things."""


class Stage(BaseModel):
    """One step, or one more word about it."""

    model_config = ConfigDict(frozen=True)

    name: StageName
    message: str
    at: float

    @property
    def percent(self) -> int:
        return PERCENT[self.name]

    def told(self) -> dict[str, Any]:
        """As the sessions API gives it."""
        return {
            "name": self.name.value,
            "percent": self.percent,
            "message": self.message,
            "at": self.at,
        }


class Stages:
    """The stages of one start."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._all: list[Stage] = []
        self._dropped = 0
        self._added = asyncio.Event()

    def __iter__(self) -> Any:
        return iter(tuple(self._all))

    def __len__(self) -> int:
        return len(self._all)

    @property
    def last(self) -> Stage | None:
        return self._all[-1] if self._all else None

    def begin(self) -> None:
        """Forget those of the last start."""
        self._all, self._dropped = [], 0

    def add(self, name: StageName, message: str) -> bool:
        """Note a stage. False where it was said last."""
        if (last := self.last) is not None and (last.name, last.message) == (name, message):
            return False
        self._all.append(Stage(name=name, message=message, at=self._clock()))
        if (over := len(self._all) - KEPT) > 0:
            # The first ones say how it began; of the middle the newest words are enough.
            del self._all[KEPT // 2 : KEPT // 2 + over]
            self._dropped += over
        self._added.set()
        return True

    def dump(self) -> list[dict[str, Any]]:
        return [stage.model_dump(mode="json") for stage in self._all]

    def load(self, entries: object) -> None:
        """What was saved. An entry of another release is left out."""
        self._all, self._dropped = [], 0
        for entry in entries if isinstance(entries, list) else []:
            try:
                self._all.append(Stage.model_validate(entry))
            except ValidationError:
                continue

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """The stages so far, then each as it comes, as JupyterHub's progress wants them."""
        shown = 0
        while True:
            self._added.clear()
            news = self._all[max(0, shown - self._dropped) :]
            shown = len(self._all) + self._dropped
            for stage in news:
                # JupyterHub reads the first two; the rest is for our own page.
                yield {
                    "progress": stage.percent,
                    "message": stage.message,
                    "stage": stage.name.value,
                    "at": stage.at,
                }
            await pause(self._added, 5)


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
