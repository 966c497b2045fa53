"""In which order partial results are joined: the same, whoever computes them.

A sum of floating-point numbers depends on its order. So the order is fixed by the number of tasks
alone: neighbours are joined in pairs, the pairs in pairs, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Generic, TypeVar

T = TypeVar("T")


def joins(count: int) -> Iterator[tuple[int, int]]:
    """Pairs ``(left, right)``: the result at ``right`` goes into the one at ``left``.

    In an order in which each pair is ready when its turn comes; the whole is at 0.
    """
    width = 1
    while width < count:
        for left in range(0, count - width, 2 * width):
            yield left, left + width
        width *= 2


class Joiner(Generic[T]):
    """Takes results in order and joins each pair as soon as both are there.

    Holds at most one result for each power of two below the number of results.
    """

    def __init__(self, join: Callable[[T, T], T]) -> None:
        self._join = join
        self._waiting: list[tuple[int, T]] = []
        """(level, result), the level falling: joined results of 2**level tasks."""

    def add(self, result: T) -> None:
        """The next task's result."""
        level = 0
        while self._waiting and self._waiting[-1][0] == level:
            result = self._join(self._waiting.pop()[1], result)
            level += 1
        self._waiting.append((level, result))

    def copy(self) -> Joiner[T]:
        """Of what was added until now, to be joined apart from it."""
        found = Joiner(self._join)
        found._waiting = deepcopy(self._waiting)
        return found

    def whole(self) -> T:
        """All of them joined. Raises IndexError where none was added."""
        _, result = self._waiting.pop()
        while self._waiting:
            result = self._join(self._waiting.pop()[1], result)
        return result
