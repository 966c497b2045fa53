"""How much one public request may take: a stranger's filter must not cost all others the service.

Strangers are answered one at a time, and a filter of a few kilobytes can ask for hours of work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from nearfield.catalogue.serving.loopback import FilterError

T = TypeVar("T")
SECONDS = 20.0
MAX_SHOWN = 100_000
"""So many related things (files, parameters) an answer may hold in all: it is made in memory."""


@dataclass
class Allowance:
    """What is left to one request."""

    clock: Callable[[], float] = time.monotonic
    until: float = field(init=False)
    shown: int = 0

    def __post_init__(self) -> None:
        self.until = self.clock() + SECONDS


_OF_REQUEST: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@contextmanager
def allowed(allowance: Allowance | None = None) -> Iterator[None]:
    """For one request; threads that it starts with ``asyncio.to_thread`` share it."""
    before = _OF_REQUEST.set(allowance or Allowance())
    try:
        yield
    finally:
        _OF_REQUEST.reset(before)


def within_time(some: Iterable[T]) -> Iterator[T]:
    """Each of ``some``. Raises FilterError where there is no time left for the next."""
    allowance = _OF_REQUEST.get()
    for one in some:
        if allowance is not None and allowance.clock() > allowance.until:
            raise FilterError(
                f"this filter takes more than {SECONDS:g} s: ask for less at once, or add a "
                "condition on text, techniques, instrument or creationDate"
            )
        yield one


def show(number: int) -> None:
    """So many related things are in the answer. Raises FilterError where they are too many."""
    allowance = _OF_REQUEST.get()
    if allowance is None:
        return
    allowance.shown += number
    if allowance.shown > MAX_SHOWN:
        raise FilterError(
            f"this answer would hold more than {MAX_SHOWN} related things: give the relation's "
            "scope a limit, or ask for fewer datasets at once"
        )
