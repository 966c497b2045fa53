"""Frames of one array taken from frames of another: the algebra of the index.

A piece lays frames ``taken`` of a stored array into frames ``laid`` of a stack, all of a frame or
a box of it. Frame numbers are a ``range`` wherever they are in arithmetic order, so that a stack of
a million frames costs no more than its chunks; else an array.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearfield.reductions.stack import Shape, Stored

Numbers = range | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Piece:
    laid: Numbers
    taken: Numbers
    stored: Stored
    at: Shape
    """Corner of the box in the stack's frame."""
    of: Shape
    """Corner of the box in the stored frame."""
    box: Shape
    under: bool = False
    """Only the ground that other pieces lie on: the fill value of a dataset within another."""


@dataclass(frozen=True, eq=False)
class Resolved:
    """A dataset as pieces, its axes before the frame's flattened in C order."""

    outer: Shape
    frame: Shape
    dtype: np.dtype[np.generic]
    """In this machine's byte order."""
    fill: np.generic
    pieces: tuple[Piece, ...]
    gaps: bool
    """Are there values that no piece gives?"""

    @property
    def count(self) -> int:
        return count_of(self.outer)


def count_of(outer: Shape) -> int:
    """Frames; one where no axis counts them."""
    frames = 1
    for n in outer:
        frames *= int(n)
    return frames


def array(numbers: Numbers) -> NDArray[np.int64]:
    if isinstance(numbers, range):
        return np.arange(numbers.start, numbers.stop, numbers.step, dtype=np.int64)
    return numbers


def plain(numbers: NDArray[np.int64]) -> Numbers:
    """As a range where it is one."""
    if numbers.size == 1:
        return range(int(numbers[0]), int(numbers[0]) + 1)
    if numbers.size > 1:
        first, step = int(numbers[0]), int(numbers[1]) - int(numbers[0])
        last = first + step * (numbers.size - 1)
        if step and int(numbers[-1]) == last and bool((np.diff(numbers) == step).all()):
            return range(first, last + (1 if step > 0 else -1), step)
    return numbers


def flat(axes: Iterable[Numbers], shape: Shape) -> Numbers:
    """Numbers in C order of the elements that are selected along each axis of ``shape``."""
    corner, stride = 0, 1
    many: list[tuple[Numbers, int]] = []
    for numbers, n in zip(reversed(tuple(axes)), reversed(shape), strict=True):
        if len(numbers) == 1:
            corner += int(numbers[0]) * stride
        else:
            many.append((numbers, stride))
        stride *= int(n)
    if not many:
        return range(corner, corner + 1)
    if len(many) == 1 and isinstance(numbers := many[0][0], range):
        step = numbers.step * many[0][1]
        first = corner + numbers.start * many[0][1]
        return range(first, first + step * len(numbers), step)
    total: NDArray[np.int64] = np.array([corner], np.int64)
    for numbers, by in many:  # the last axis first
        total = (array(numbers)[:, None] * by + total[None, :]).reshape(-1)
    return plain(total)


def within(numbers: Numbers, low: int, high: int) -> tuple[Numbers, slice | NDArray[np.bool_]]:
    """Those in ``low … high``, counted from ``low``, and which of them these were."""
    if isinstance(numbers, range):
        a, b = low, high
        if numbers.step < 0:
            back = numbers[::-1]
            kept, which = within(back, low, high)
            assert isinstance(kept, range)  # noqa: S101 - of a range comes a range
            assert isinstance(which, slice)  # noqa: S101
            size = len(numbers)
            return kept[::-1], slice(size - which.stop, size - which.start)
        begin = max(0, -(-(a - numbers.start) // numbers.step))
        end = max(begin, min(len(numbers), -(-(b - numbers.start) // numbers.step)))
        kept = numbers[begin:end]
        return range(kept.start - low, kept.stop - low, kept.step), slice(begin, end)
    keep = (numbers >= low) & (numbers < high)
    return numbers[keep] - low, keep


def pick(numbers: Numbers, which: Numbers | slice | NDArray[np.bool_]) -> Numbers:
    """``numbers[which]``."""
    if isinstance(which, slice):
        return numbers[which]
    if isinstance(numbers, range) and isinstance(which, range):
        if not which:
            return range(0)
        first, step = numbers[which.start], numbers.step * which.step
        return range(first, first + step * len(which), step)
    where = array(which) if isinstance(which, range) else which
    return array(numbers)[where]


def laid_on(
    inner: Resolved, laid: Numbers, taken: Numbers, at: Shape, of: Shape, box: Shape
) -> list[Piece]:
    """What lies in frames ``laid`` when they take a box of frames ``taken`` of ``inner``."""
    found: list[Piece] = []
    for piece in inner.pieces:
        low = [max(a, b) for a, b in zip(of, piece.at, strict=True)]
        high = [min(a + n, b + m) for a, n, b, m in zip(of, box, piece.at, piece.box, strict=True)]
        if any(b <= a for a, b in zip(low, high, strict=True)):
            continue
        where, which = _positions(piece.laid, taken)
        frames = pick(piece.taken, where)
        if not len(frames):
            continue
        found.append(
            Piece(
                pick(laid, which),
                frames,
                piece.stored,
                tuple(x + low[i] - of[i] for i, x in enumerate(at)),
                tuple(x + low[i] - piece.at[i] for i, x in enumerate(piece.of)),
                tuple(b - a for a, b in zip(low, high, strict=True)),
                piece.under,
            )
        )
    return found


def _positions(laid: Numbers, taken: Numbers) -> tuple[Numbers, slice | NDArray[np.bool_]]:
    """At which places of ``laid`` the numbers ``taken`` stand, and which of them do."""
    if isinstance(laid, range) and laid.step == 1:
        return within(taken, laid.start, laid.stop)
    have, want = array(laid), array(taken)
    order = np.argsort(have, kind="stable")
    place = np.searchsorted(have, want, sorter=order)
    place[place == have.size] = 0
    where = order[place]
    keep = have[where] == want
    return where[keep], keep
