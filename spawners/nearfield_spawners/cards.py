"""Cards of environments for the spawn page: read in the background, kept for each state of a file.

A page never waits long for an image: what is not known yet is left out and is there next time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from nearfield.config import EnvironmentConfig
from nearfield.scheduler.images import Card, ImageReport, read_card, verify_image
from nearfield_spawners.looks import Looks, apart

WAIT_SECONDS = 0.5
KEPT = 200

T = TypeVar("T")

_Key = tuple[str, str, tuple[int, ...]]


class Cards:
    """One for the whole hub. A large image is read once; two at a time."""

    def __init__(self) -> None:
        self._slots = threading.Semaphore(2)
        self._states: Looks[tuple[int, ...]] = Looks()
        self._cards: dict[_Key, Future[Card]] = {}
        self._reports: dict[_Key, Future[ImageReport | None]] = {}

    async def shown(self, environment: EnvironmentConfig) -> dict[str, Any] | None:
        """The card with digest, verdict and signers as far as they are known; None: no image."""
        if environment.image is None:
            return None
        image = environment.image
        state = await self._states.at(image, partial(_state_of, image))
        if state is None:  # its file system hangs; the page asks again
            return _told(Card(), None)
        key = (str(image), environment.model_dump_json(), state)
        if key not in self._cards:
            self._forget()
            self._cards[key] = self._ask(read_card, environment)
            self._reports[key] = self._ask(verify_image, environment)
        await asyncio.wait([asyncio.wrap_future(self._cards[key])], timeout=WAIT_SECONDS)
        return _told(_result(self._cards[key]) or Card(), _result(self._reports[key]))

    async def of(
        self, environments: Iterable[tuple[str, EnvironmentConfig]]
    ) -> dict[str, dict[str, Any] | None]:
        """Several at once, by name."""
        named = dict(environments)
        found = await asyncio.gather(*(self.shown(one) for one in named.values()))
        return dict(zip(named, found, strict=True))

    def _ask(self, ask: Callable[[EnvironmentConfig], T], about: EnvironmentConfig) -> Future[T]:
        """When it is its turn: a large image takes minutes."""

        def work() -> T:
            with self._slots:
                return ask(about)

        return apart(work)

    def _forget(self) -> None:
        while len(self._cards) >= KEPT:
            oldest = next(iter(self._cards))
            del self._cards[oldest], self._reports[oldest]


def techniques_of(
    environment: EnvironmentConfig, card: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """What an environment is made for: the configuration's words, else those of the image."""
    return environment.techniques or tuple((card or {}).get("techniques", ()))


def made_for_others(environment: Iterable[str], datasets: Iterable[Iterable[str]]) -> bool:
    """Does an environment name techniques, and none of any dataset that has one?

    The page says the same of the cards that it shows (``js/src/spawn/fit.ts``).
    """
    mine = {name.strip().casefold() for name in environment}
    theirs = {name.strip().casefold() for techniques in datasets for name in techniques}
    return bool(mine and theirs) and mine.isdisjoint(theirs)


def _result(future: Future[Any]) -> Any:
    """What is there now. A card is for show: one that failed is an empty one."""
    if not future.done() or future.exception() is not None:
        return None
    return future.result()


def _told(card: Card, report: ImageReport | None) -> dict[str, Any]:
    told = card.model_dump(mode="json")
    told |= {"digest": "", "verdict": "", "signers": []}
    if report is not None:
        told |= report.model_dump(mode="json", include={"digest", "verdict", "signers"})
    return told


def _state_of(image: Path) -> tuple[int, ...]:
    try:
        found = image.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


CARDS = Cards()
