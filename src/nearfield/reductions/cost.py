"""What a plan will cost, told before it runs: nothing is read for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nearfield.reductions.plan import Plan
from nearfield.reductions.stack import ABSENT, DAMAGED, Part, Stored

ASSUMED = 500e6
"""Bytes decoded in a second by one thread, where nothing was measured: a cautious figure. A file
system that gives less makes it longer."""
_ENOUGH = 0.05
"""Seconds: what took less says little."""

Key = tuple[object, ...]
_rates: dict[Key, float] = {}


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

    def __repr__(self) -> str:
        how = "as measured before" if self.measured else f"at {_size(ASSUMED)}/s a thread, assumed"
        return (
            f"<reads {_size(self.bytes_read)}, decodes {_size(self.bytes_decoded)}; "
            f"{self.tasks} task{'s' if self.tasks != 1 else ''} "
            f"in {self.workers} thread{'s' if self.workers != 1 else ''}; "
            f"about {_time(self.seconds)} ({how})>"
        )


def cost_of(plan: Plan, workers: int) -> Cost:
    """Of a plan in so many threads; no more of them work than there are tasks."""
    decoded = plan.frames.count * plan.stack.frame_bytes
    rate = _rates.get(_key(plan))
    busy = max(1, min(workers, plan.tasks))
    seconds = decoded / (rate or ASSUMED) / busy
    return Cost(stored_bytes(plan), decoded, plan.tasks, workers, seconds, rate is not None)


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
        frames = part.taken(*_between(part, plan))
        rows = np.zeros(len(s.offset), bool)
        rows[frames[frames >= 0] // s.chunk[0]] = True
        needed[id(s)][1][np.ix_(np.flatnonzero(rows), _tiles(part))] = True
    total = 0
    for s, which in needed.values():
        there = which & (s.offset != ABSENT) & (s.offset != DAMAGED)
        total += int(s.size[there].sum(dtype="u8"))
    return total


def measured(plan: Plan, frames: int, seconds: float, workers: int) -> None:
    """So many frames of a plan took so long, after its kernels had been compiled."""
    if seconds >= _ENOUGH and frames > 0:
        busy = max(1, min(workers, plan.tasks))
        _rates[_key(plan)] = frames * plan.stack.frame_bytes / seconds / busy


def _key(plan: Plan) -> Key:
    """Plans of one key run about as fast."""
    stored = {tuple(f.id for f in part.stored.filters) for part in plan.stack.parts[:100]}
    corrected = plan.corrections is not None
    return frozenset(stored), plan.stack.dtype, tuple(sorted(plan.reductions)), corrected


def _between(part: Part, plan: Plan) -> tuple[int, int]:
    """Those frames of a part that lie between the first and last one that are taken."""
    start, stop = part.start, part.start + part.count
    if plan.take is None:
        return start, stop
    return max(start, plan.take[0]), min(stop, plan.take[-1] + 1)


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


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            return f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError  # the loop returns


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
