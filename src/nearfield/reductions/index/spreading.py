"""Axes of a source that are axes of a frame; those that it lacks have one element.

A module's images ``(frames, y, x)`` are one of the modules in frames ``(module, y, x)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nearfield.reductions.index.pieces import Resolved
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.stack import Shape, Stored

Spread = tuple[int, ...]


def aligned(box: Shape, outer: Shape, frame: Shape, lengths: Shape, source: Shape) -> Spread:
    """For each of the source's last axes, those of its frame: which axis of the box it is.

    Args:
        outer, frame: Of the virtual dataset.
        lengths: How much a mapping selects along each axis of the ``source``.
    """
    straight = tuple(range(len(box)))
    ends_alike = lengths[len(source) - len(box) :] == box if len(source) >= len(box) else False
    if ends_alike and len(source) == len(outer) + len(frame):
        return straight
    found: list[int] = []
    left = len(source) - 1
    for axis in reversed(straight):
        n = box[axis]
        alike = left >= 0 and lengths[left] == n
        if alike and (n != 1 or source[left] in {1, frame[axis]}):
            found.append(axis)
            left -= 1
        elif n != 1:
            if ends_alike:
                return straight
            raise NotUnderstood("a virtual dataset maps frames to what has another shape")
    return tuple(reversed(found))


def widened(sizes: Sequence[int], spread: Spread, axes: int, other: int) -> Shape:
    """Numbers of a source's axes as those of a frame's ``axes``."""
    made = [other] * axes
    for axis, n in zip(spread, sizes, strict=True):
        made[axis] = n
    return tuple(made)


def spread_out(inner: Resolved, spread: Spread, axes: int) -> Resolved:
    """The same with frames of as many axes."""
    if len(spread) == axes:
        return inner
    tables: dict[int, Stored] = {}
    for piece in inner.pieces:
        s = piece.stored
        if id(s) not in tables:
            tables[id(s)] = replace(
                s,
                shape=(s.shape[0], *widened(s.shape[1:], spread, axes, 1)),
                chunk=(s.chunk[0], *widened(s.chunk[1:], spread, axes, 1)),
            )
    return replace(
        inner,
        frame=widened(inner.frame, spread, axes, 1),
        pieces=tuple(
            replace(
                piece,
                stored=tables[id(piece.stored)],
                at=widened(piece.at, spread, axes, 0),
                of=widened(piece.of, spread, axes, 0),
                box=widened(piece.box, spread, axes, 1),
            )
            for piece in inner.pieces
        ),
    )
