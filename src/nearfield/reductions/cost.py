"""What a plan will cost, told before it runs: nothing is read for it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from nearfield.reductions.plan import Plan
from nearfield.reductions.stack import ABSENT, DAMAGED, Part, Stored
from nearfield.reductions.telling.amounts import duration, size

ASSUMED = 500e6
"""Bytes decoded in a second by one thread, where nothing was measured: a cautious figure. A file
system that gives less makes it longer."""
_ENOUGH = 0.05
"""Seconds: what took less says little."""

Key = tuple[object, ...]
_rates: dict[Key, float] = {}
"""Bytes a second of one thread."""
_known: set[Key] = set()
"""What was computed in this process, and so is compiled."""


@dataclass(frozen=True)
class Cost:
    """Of a reduction."""

    bytes_read: int
    """From files, as they are stored."""
    bytes_decoded: int
    """Of the frames, in memory; never all at once."""
    tasks: int
    workers: int
    """Threads."""
    seconds: float
    """About; without the wait for a file system that is slower than the decoding."""
    measured: bool
    """Is that from a reduction of this kind in this process, or from an assumed rate?"""

    @property
    def takes(self) -> str:
        """In words: ``about 12 s (as fast as the last one)``."""
        about = "" if self.seconds < 0.95 else "about "
        assumed = f"assuming {size(ASSUMED)}/s a thread"
        how = "as fast as the last one" if self.measured else assumed
        return f"{about}{duration(self.seconds)} ({how})"

    @property
    def by(self) -> str:
        """In words: ``11 tasks in 2 threads``."""
        tasks = f"{self.tasks:,} task{'s' if self.tasks != 1 else ''}"
        return f"{tasks} in {self.workers} thread{'s' if self.workers != 1 else ''}"

    def __repr__(self) -> str:
        read, decoded = size(self.bytes_read), size(self.bytes_decoded)
        return f"<reads {read}, decodes {decoded}; {self.by}; {self.takes}>"


def cost_of(plan: Plan, workers: int) -> Cost:
    """Of a plan in so many threads; no more of them work than there are tasks."""
    # Events are read from two arrays side by side.
    beside = [each for one in plan.reductions.values() for each in getattr(one, "beside", ())]
    plans = [plan, *(replace(plan, stack=each) for each in beside)]
    read = sum(stored_bytes(each) for each in plans)
    decoded = plan.frames.count * sum(each.stack.frame_bytes for each in plans)
    rate = _rates.get(_key(plan))
    seconds = _one_after_another(plan, 0, workers) / (rate or ASSUMED)
    return Cost(read, decoded, plan.tasks, workers, seconds, rate is not None)


def stored_bytes(plan: Plan) -> int:
    """That are read from files; a chunk that several frames share counts once."""
    stack = plan.stack
    if stack.refused is not None:
        return plan.frames.count * stack.frame_bytes  # what h5py reads of it nobody knows
    needed: dict[int, tuple[Stored, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]] = {}
    for part in stack.parts:
        s = part.stored
        if id(s) not in needed:
            needed[id(s)] = s, np.zeros(s.offset.shape, bool)
        frames = _frames(part, plan)
        rows = np.unique(frames[frames >= 0] // s.chunk[0])
        needed[id(s)][1][np.ix_(rows, _tiles(part))] = True
    total = 0
    for s, which in needed.values():
        there = which & (s.offset != ABSENT) & (s.offset != DAMAGED)
        total += int(s.size[there].sum(dtype="u8"))
    return total


class Clock:
    """Measures a computation from here on, for the cost of the next one of its kind.

    Numba compiles in the first task of each thread: where this process had none of its kind
    before, only what comes after them counts.
    """

    def __init__(self, plan: Plan, workers: int) -> None:
        self._plan, self._workers = plan, workers
        self._first, self._since = 0, time.monotonic()
        self._compiles = _key(plan) not in _known

    def done(self, tasks: int) -> None:
        """So many are done, the first ones."""
        if self._compiles and tasks == min(self._workers, self._plan.tasks):
            self._first, self._since = tasks, time.monotonic()

    def finished(self) -> None:
        """All are done."""
        key, seconds = _key(self._plan), time.monotonic() - self._since
        _known.add(key)
        if seconds >= _ENOUGH and self._first < self._plan.tasks:
            _rates[key] = _one_after_another(self._plan, self._first, self._workers) / seconds


def _one_after_another(plan: Plan, first: int, workers: int) -> int:
    """Bytes that the busiest thread decodes for the tasks from ``first`` on.

    In the last round of tasks some threads have nothing to do.
    """
    step = 1 if plan.take is None else plan.take.step
    chunk = max((part.stored.chunk[0] for part in plan.stack.parts), default=1)
    # Of a choice of every nth frame whole chunks are decoded, or all where h5py reads.
    each = plan.stack.frame_bytes * (step if plan.stack.refused else min(step, chunk))
    rounds = math.ceil((plan.tasks - first) / workers)
    return each * min(plan.frames.count - plan.task(first)[0], rounds * plan.frames_a_task)


def _key(plan: Plan) -> Key:
    """Plans of one key run about as fast."""
    stored = {
        (part.stored.offset.shape[1] > 1, *(f.id for f in part.stored.filters))
        for part in plan.stack.parts[:100]
    }
    corrected = plan.corrections is not None
    return frozenset(stored), plan.stack.dtype, tuple(sorted(plan.reductions)), corrected


def _frames(part: Part, plan: Plan) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The numbers of a part's stored frames that are read."""
    start, stop = part.start, part.start + part.count
    take = plan.take
    if take is None:
        return part.taken(start, stop)
    start, stop = max(start, take[0]), min(stop, take[-1] + 1)
    return part.taken(start, stop)[-(start - take[0]) % take.step :: take.step]


def _tiles(part: Part) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The numbers of the tiles that a part's region touches."""
    s = part.stored
    if not s.grid:
        return np.zeros(1, "i8")
    corner = part.of or (0,) * len(s.grid)
    spans = [
        np.arange(low // n, -(-(low + size) // n))
        for low, size, n in zip(corner, part.box, s.chunk[1:], strict=True)
    ]
    grids = np.meshgrid(*spans, indexing="ij")
    return np.ravel_multi_index([g.ravel() for g in grids], s.grid).astype("i8")
