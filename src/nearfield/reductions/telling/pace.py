"""How far a computation is, how fast, and how long still."""

from __future__ import annotations

import time
from collections.abc import Callable

from nearfield.reductions.telling.amounts import duration, frames, size


class Pace:
    """Of ``total`` frames of ``frame_bytes``, decoded."""

    def __init__(
        self, total: int, frame_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total, self.done = total, 0
        self._bytes, self._clock = frame_bytes, clock
        self._begun = self._now = clock()
        self._first: tuple[float, int] | None = None

    def told(self, done: int) -> None:
        """So many frames are done."""
        self.done, self._now = done, self._clock()
        if self._first is None:
            self._first = self._now, done

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.done / self.total if self.total else 1.0

    @property
    def rate(self) -> float | None:
        """Frames in a second; without the first task, in which kernels are compiled, if it can be.

        ``None`` before the first.
        """
        if self._first is None:
            return None
        at, done = self._first
        if self.done == done:
            at, done = self._begun, 0
        return (self.done - done) / max(self._now - at, 1e-6)

    def words(self) -> str:
        """``1,200 of 2,000 frames, 1.31 GB/s, 3 s left``."""
        said = f"{self.done:,} of {frames(self.total)}"
        rate = self.rate
        if not rate or self.done >= self.total:
            return said
        left = duration((self.total - self.done) / rate)
        return f"{said}, {size(rate * self._bytes)}/s, {left} left"

    def all_in_all(self) -> str:
        """At the end: ``2,000 frames in 3.2 s, 328 MB/s``."""
        took = max(self._now - self._begun, 1e-6)
        rate = size(self.done * self._bytes / took)
        return f"{frames(self.done)} in {duration(took)}, {rate}/s"
