"""A part of a stack as a stack: some of its frames, a region of them."""

from __future__ import annotations

from dataclasses import replace

from nearfield.errors import UsageError
from nearfield.reductions.stack import Part, Shape, Stack


def frames_between(stack: Stack, start: int, stop: int) -> Stack:
    """The frames ``start … stop`` of a stack; they are counted from 0 again.

    Raises:
        UsageError: the stack has no such frames.
    """
    if not 0 <= start <= stop <= stack.shape[0]:
        raise UsageError(f"frames {start} to {stop}: the stack has {stack.shape[0]}")
    if (start, stop) == (0, stack.shape[0]):
        return stack
    parts = []
    for part in stack.parts:
        begin, end = max(start, part.start), min(stop, part.start + part.count)
        if begin < end:
            skip = begin - part.start
            frames = None if part.frames is None else part.frames[skip : end - part.start]
            first = part.first + part.step * skip
            parts.append(
                replace(part, start=begin - start, count=end - begin, first=first, frames=frames)
            )
    return replace(
        stack,
        shape=(stop - start, *stack.frame_shape),
        outer=(stop - start,),
        parts=tuple(parts),
        skipped=stack.skipped + start,
        asked=None,
    )


def region(stack: Stack, corner: Shape, shape: Shape) -> Stack:
    """The region at ``corner`` of every frame of a stack.

    Where frames are stored in tiles only those that the region touches are read.
    """
    if shape == stack.frame_shape:
        return stack
    parts = tuple(cut for part in stack.parts if (cut := _cut(part, corner, shape)) is not None)
    before = stack.corner or (0,) * len(corner)
    return replace(
        stack,
        shape=(stack.shape[0], *shape),
        parts=parts,
        corner=tuple(a + b for a, b in zip(before, corner, strict=True)),
        asked=None,
    )


def _cut(part: Part, corner: Shape, shape: Shape) -> Part | None:
    zeros = (0,) * len(part.box)
    at, of, box = [], [], []
    for low, size, laid, taken, held in zip(
        corner, shape, part.at or zeros, part.of or zeros, part.box, strict=True
    ):
        begin, end = max(low, laid), min(low + size, laid + held)
        if begin >= end:
            return None
        at.append(begin - low)
        of.append(taken + begin - laid)
        box.append(end - begin)
    return replace(part, at=tuple(at), of=tuple(of), box=tuple(box))
