"""Selections of virtual datasets: which elements of an array, axis by axis.

HDF5's regular hyperslab is ``count`` blocks of ``block`` elements, ``stride`` apart, along each
axis (H5Sselect_hyperslab). An unlimited one goes on as far as its array does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from h5py import h5s

from nearfield.reductions.index.pieces import Numbers
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.stack import Shape

UNLIMITED = 2**64 - 1
"""H5S_UNLIMITED, as h5py gives it."""

Axis = tuple[int, int, int, int]
"""start, stride, count, block."""


def selection(space: Any) -> tuple[Axis, ...] | None:
    """A regular hyperslab; ``None`` for all of the array. Raises NotUnderstood."""
    kind = space.get_select_type()
    if kind == h5s.SEL_ALL:
        return None
    if kind != h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        raise NotUnderstood("a virtual dataset maps an irregular selection")
    found: tuple[Axis, ...] = tuple(zip(*space.get_regular_hyperslab(), strict=True))
    return found


def endless(axes: tuple[Axis, ...] | None) -> int | None:
    """The axis that is unlimited."""
    for number, (_, _, count, block) in enumerate(axes or ()):
        if UNLIMITED in {count, block} or max(count, block) >= 2**63:
            return number
    return None


def all_of(shape: Shape) -> tuple[Axis, ...]:
    return tuple((0, 1, 1, n) for n in shape)


def block_of(axes: tuple[Axis, ...], axis: int, number: int) -> tuple[Axis, ...]:
    """One block of a selection that is unlimited along ``axis``."""
    start, stride, _, block = axes[axis]
    one = (start + stride * number, 1, 1, block)
    return (*axes[:axis], one, *axes[axis + 1 :])


def as_far_as(axes: tuple[Axis, ...], axis: int, length: int) -> int:
    """How many elements an unlimited selection has along ``axis`` of an array of that length."""
    start, stride, count, block = axes[axis]
    if length <= start:
        return 0
    if block > length or stride == block:  # one block without an end, or blocks without gaps
        return length - start
    whole, rest = divmod(length - start, stride)
    del count
    return whole * block + min(rest, block)


def first_of(axes: tuple[Axis, ...], axis: int, elements: int) -> tuple[Axis, ...]:
    """The first elements of an unlimited selection along ``axis``. Raises NotUnderstood."""
    start, stride, _, block = axes[axis]
    if block >= elements or stride == block:
        one = (start, 1, 1, elements)
    elif elements % block == 0:
        one = (start, stride, elements // block, block)
    else:
        raise NotUnderstood("a virtual dataset's unlimited selection ends within a block")
    return (*axes[:axis], one, *axes[axis + 1 :])


def numbers(axis: Axis) -> Numbers:
    """The elements along one axis."""
    start, stride, count, block = axis
    if count == 1 or stride == block:
        return range(start, start + count * block)
    if block == 1:
        return range(start, start + stride * count, stride)
    corners = start + stride * np.arange(count, dtype=np.int64)
    return (corners[:, None] + np.arange(block, dtype=np.int64)).reshape(-1)


def inside(axes: Sequence[Axis], shape: Shape) -> bool:
    """Does the array have all of the selection?"""
    return len(axes) == len(shape) and all(
        start + stride * (count - 1) + block <= n
        for (start, stride, count, block), n in zip(axes, shape, strict=True)
    )
