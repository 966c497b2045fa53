"""A plan: which reductions over which frames, in which tasks; and its result, computed once.

A task is a run of frames of 50 to 150 MB decoded. What it costs is known before it runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from nearfield.errors import ReductionCancelledError, UsageError
from nearfield.reductions import collecting
from nearfield.reductions.kernels._protocol import Array, Frames, Output, Reduction, State
from nearfield.reductions.kernels.corrections import Corrections
from nearfield.reductions.kernels.grouped import FRAMES_READ, Grouped
from nearfield.reductions.reading import blocks
from nearfield.reductions.stack import Stack
from nearfield.reductions.unreadable import FileChanged, Noted

TASK = 100_000_000
"""Bytes of a task, decoded."""

Partial = dict[str, State]


class Stop(Protocol):
    """As ``threading.Event``."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class Plan:
    """What ``nearfield.reduce`` is about to do."""

    stack: Stack
    frames: Frames
    reductions: Mapping[str, Reduction]
    corrections: Corrections | None = None
    take: range | None = None
    """Which frames of the stack these are, rising; ``None``: all. Frames are counted in this
    choice everywhere but in the stack."""
    collect: bool = False
    """Go on without frames that cannot be read, and tell which."""
    task_bytes: int = field(default_factory=lambda: TASK)
    """Of a task, decoded; kept here, so that another process makes the same tasks."""

    @property
    def frames_a_task(self) -> int:
        """A multiple of the frames in a chunk, so that no chunk is decoded twice."""
        rows = self._rows
        wanted = max(1, self.task_bytes // max(1, self.stack.frame_bytes))
        # Of a choice of every nth frame whole chunks are decoded, or all where h5py reads.
        step = self._step if self.stack.refused is not None else min(self._step, rows)
        return max(1, max(rows, wanted // rows * rows) // step)

    @property
    def tasks(self) -> int:
        return math.ceil((self.frames.count + self._lead) / self.frames_a_task)

    def task(self, number: int) -> tuple[int, int]:
        """First frame and end of a task."""
        first = number * self.frames_a_task - self._lead
        return max(0, first), min(first + self.frames_a_task, self.frames.count)

    @property
    def _rows(self) -> int:
        """Frames in a chunk."""
        return max((part.stored.chunk[0] for part in self.stack.parts), default=1)

    @property
    def _step(self) -> int:
        return 1 if self.take is None else self.take.step

    @property
    def _lead(self) -> int:
        """How many frames of its first chunk a choice leaves out: tasks end where chunks do."""
        return 0 if self.take is None or self._step > 1 else self.take.start % self._rows

    def outputs(self) -> dict[str, Output]:
        """All arrays of the result."""
        found = {
            made: output
            for name, reduction in self.reductions.items()
            for made, output in reduction.outputs(name, self.frames).items()
        }
        if not self.collect:
            return found
        dims = {self.frames.frame_dim}
        dims |= {each.groups.dim for each in self.reductions.values() if isinstance(each, Grouped)}
        marked = {
            name: output if name == FRAMES_READ else collecting.marked(output, dims)
            for name, output in found.items()
        }
        return {**marked, collecting.UNREADABLE: collecting.output(self.frames)}


def block_dtype(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """The type in which kernels get frames of ``dtype``: half floats as float32, truth as uint8,
    floats of more than 64 bits rounded to float64.

    Raises:
        UsageError: no kernel takes such values (complex ones).
    """
    if dtype.kind not in "uifb":
        raise UsageError(f"the frames hold {dtype}: only integers and floats are reduced")
    if dtype.itemsize > 8:
        return np.dtype("f8")
    return np.dtype({"bool": "u1", "float16": "f4"}.get(dtype.name, dtype))


def run_task(plan: Plan, number: int, stop: Stop | None = None) -> Partial:
    """One task, in this thread.

    Args:
        stop: Looked at before each block; set: there is no use in going on.

    Raises:
        DataFileError: with file and frame.
        ReductionCancelledError: it was stopped.
    """
    while True:
        noted = Noted(plan.collect)
        try:
            states = _states(plan, number, stop, noted)
        except FileChanged:
            if not plan.collect:
                raise
            continue  # it is refused from now on, and its frames are left out
        if plan.collect:
            begin, end = plan.task(number)
            state = collecting.state_of(noted.found, plan.take, end - begin)
            states[collecting.UNREADABLE] = state
        return states


def _states(plan: Plan, number: int, stop: Stop | None, noted: Noted) -> Partial:
    begin, end = plan.task(number)
    states = {n: r.start(plan.frames, begin, end - begin) for n, r in plan.reductions.items()}
    spare = np.empty((0, plan.frames.pixels))
    taken = block_dtype(plan.stack.dtype)
    for first, stored in _chosen(plan, begin, end, noted):
        if stop is not None and stop.is_set():
            raise ReductionCancelledError("the reduction was cancelled")
        raw: Array = np.asarray(stored, taken)
        block = raw
        if plan.corrections is not None:
            if len(spare) < len(raw):
                spare = np.empty(raw.shape)
            block = spare[: len(raw)]
            plan.corrections.apply(raw, first, block)
        for name, reduction in plan.reductions.items():
            reduction.add(states[name], block, first, first - begin)
    return states


def _chosen(plan: Plan, start: int, stop: int, noted: Noted) -> Iterator[tuple[int, Array]]:
    """As ``blocks``, counted in the frames that the plan takes."""
    take = plan.take
    if take is None:
        yield from blocks(plan.stack, start, stop, noted)
        return
    for at, raw in blocks(plan.stack, take[start], take[stop - 1] + 1, noted, take.step):
        yield (at - take.start) // take.step, raw


def join(plan: Plan, left: Partial, right: Partial) -> Partial:
    with np.errstate(all="ignore"):  # infinities in the data are no news
        found = {name: r.join(left[name], right[name]) for name, r in plan.reductions.items()}
    if plan.collect:
        name = collecting.UNREADABLE
        found[name] = collecting.joined(left[name], right[name])
    return found


def finish(plan: Plan, whole: Partial) -> dict[str, Array]:
    """The arrays of ``plan.outputs()``; with ``collect`` also what ``collecting.told`` takes."""
    found: dict[str, Array] = {}
    with np.errstate(all="ignore"):
        for name, reduction in plan.reductions.items():
            found.update(reduction.finish(name, plan.frames, whole[name]))
    if plan.collect:
        state = whole[collecting.UNREADABLE]
        return collecting.finished(found, plan.outputs(), plan.frames, state)
    return found
