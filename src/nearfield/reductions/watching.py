"""A computation seen from outside: how far it is, what it has by now, and how to end it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock

from nearfield.reductions.joining import Joiner
from nearfield.reductions.plan import Partial

Told = Callable[[int, int], object]
"""Told how many frames are done, of how many."""


class Watch:
    """Of one computation. Who computes calls ``add``; others look and end it from any thread."""

    def __init__(self, told: Told | None = None) -> None:
        self.stop = Event()
        """Set: the computation is to end."""
        self._told = told
        self._lock = Lock()
        self._whole: Joiner[Partial] | None = None
        self._frames = 0
        self._most = 0

    def add(self, whole: Joiner[Partial], result: Partial, frames: int, of: int) -> None:
        """Join the next task's result, after which ``frames`` are done."""
        with self._lock:
            whole.add(result)
            self._whole, self._frames = whole, frames
        self.tell(frames, of)

    def tell(self, frames: int, of: int) -> None:
        """So many frames are done, joined or not. It never goes back."""
        if self._told is not None and frames > self._most:
            self._most = frames
            self._told(frames, of)

    def so_far(self) -> tuple[int, Partial] | None:
        """How many of the first frames are done, and their partial; ``None`` before the first."""
        with self._lock:
            if self._whole is None:
                return None
            copied, frames = self._whole.copy(), self._frames
        return frames, copied.whole()
