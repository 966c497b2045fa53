"""The frames of a file that is still being written: those whose chunks are all there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nearfield.reductions.stack import ABSENT, Part, Stack


def cut_to_written(stack: Stack) -> Stack:
    """The stack without the frames at its end that nobody has written yet.

    A detector's writer makes a dataset as long as the measurement will be, or longer by a frame
    before it writes that. Frames in the middle that were never written are the fill value.
    """
    if stack.refused is not None or len(stack.outer) != 1:
        return stack
    return first_frames(stack, max((_end(part) for part in stack.parts), default=0))


def first_frames(stack: Stack, end: int) -> Stack:
    """The stack without what comes after ``end`` frames."""
    if end >= stack.shape[0]:
        return stack
    parts = tuple(_cut(part, end) for part in stack.parts if part.start < end)
    held, left = [], end
    for one in stack.held:
        held.append(replace(one, frames=min(one.frames, left)))
        left -= held[-1].frames
    shape = (end, *stack.shape[1:])
    return replace(stack, shape=shape, outer=(end,), parts=parts, held=tuple(held))


def _end(part: Part) -> int:
    """The frame after the last one that has a chunk."""
    frames = part.taken(part.start, part.start + part.count)
    rows = frames // part.stored.chunk[0]
    there = (part.stored.offset != ABSENT).any(axis=1)
    have = np.flatnonzero((frames >= 0) & there[rows])
    return part.start + int(have[-1]) + 1 if have.size else 0


def _cut(part: Part, end: int) -> Part:
    count = min(part.count, end - part.start)
    frames = None if part.frames is None else part.frames[:count]
    return replace(part, count=count, frames=frames)
