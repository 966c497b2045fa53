"""A plan: which reductions over which frames, in which tasks; and its result, computed once.

A task is a run of frames of 50 to 150 MB decoded. What it costs is known before it runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nearfield.reductions.kernels._protocol import Array, Frames, Output, Reduction, State
from nearfield.reductions.kernels.corrections import Corrections
from nearfield.reductions.reading import blocks
from nearfield.reductions.stack import Stack

TASK = 100_000_000
"""Bytes of a task, decoded."""

Partial = dict[str, State]


@dataclass(frozen=True, eq=False)
class Plan:
    """What ``nearfield.reduce`` is about to do."""

    stack: Stack
    frames: Frames
    reductions: Mapping[str, Reduction]
    corrections: Corrections | None = None

    @property
    def frames_a_task(self) -> int:
        """A multiple of the frames in a chunk, so that no chunk is decoded twice."""
        rows = max((part.stored.chunk[0] for part in self.stack.parts), default=1)
        wanted = max(1, TASK // max(1, self.stack.frame_bytes))
        return max(rows, wanted // rows * rows)

    @property
    def tasks(self) -> int:
        return math.ceil(self.frames.count / self.frames_a_task)

    def task(self, number: int) -> tuple[int, int]:
        """First frame and end of a task."""
        first = number * self.frames_a_task
        return first, min(first + self.frames_a_task, self.frames.count)

    def outputs(self) -> dict[str, Output]:
        """All arrays of the result."""
        return {
            made: output
            for name, reduction in self.reductions.items()
            for made, output in reduction.outputs(name, self.frames).items()
        }


def run_task(plan: Plan, number: int) -> Partial:
    """One task, in this thread. Raises DataFileError, with file and frame."""
    start, stop = plan.task(number)
    states = {n: r.start(plan.frames, start, stop - start) for n, r in plan.reductions.items()}
    spare = np.empty((0, plan.frames.pixels))
    for first, raw in blocks(plan.stack, start, stop):
        block = raw
        if plan.corrections is not None:
            if len(spare) < len(raw):
                spare = np.empty(raw.shape)
            block = spare[: len(raw)]
            plan.corrections.apply(raw, first, block)
        for name, reduction in plan.reductions.items():
            reduction.add(states[name], block, first, first - start)
    return states


def join(plan: Plan, left: Partial, right: Partial) -> Partial:
    return {name: r.join(left[name], right[name]) for name, r in plan.reductions.items()}


def finish(plan: Plan, whole: Partial) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for name, reduction in plan.reductions.items():
        found.update(reduction.finish(name, plan.frames, whole[name]))
    return found
