"""Frames that are in memory already: a variable whose values somebody has looked at.

xarray keeps them then, and what they are is what the variable is from there on: they may have been
written to.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from nearfield.errors import UsageError
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Stack

WRAPPERS = frozenset(
    {
        "CopyOnWriteArray",
        "ImplicitToExplicitIndexingAdapter",
        "LazilyIndexedArray",
        "MemoryCachedArray",
    }
)
"""Of xarray, around an array of an engine, or around what is in memory of it."""
FRAME_DIMS = "frame_dims"
"""In a variable's encoding: which of its dimensions are those of a frame."""


def is_in_memory(array: xr.DataArray) -> bool:
    data: Any = array.variable._data
    while type(data).__name__ in WRAPPERS:
        data = data.array
    return type(data).__name__ in {"NumpyIndexingAdapter", "ndarray"}


def stack_in_memory(array: xr.DataArray, frame_ndim: int | None = None) -> Stack:
    """Its values as a stack; they are not copied.

    Args:
        frame_ndim: How many dimensions, the last ones, make a frame. Without it those that were a
            frame's when the engine opened the variable.

    Raises:
        UsageError: nothing says which they are.
    """
    if frame_ndim is None:
        frame_ndim = _frame_ndim(array.dims, array.encoding.get(FRAME_DIMS))
    if frame_ndim is None or not 0 <= frame_ndim <= array.ndim:
        raise UsageError(
            f"nearfield.reduce: of {array.name!r}, {', '.join(map(str, array.dims))}, nobody knows "
            "which dimensions make a frame",
            hint="frame_ndim=2: the last two",
        )
    cut = array.ndim - frame_ndim
    outer, frame = array.shape[:cut], array.shape[cut:]
    if not all(frame):
        raise UsageError(f"nearfield.reduce: {array.name!r} has frames without a pixel, {frame}")
    values = np.asarray(array.values)
    if cut != 1:
        values = values.reshape(-1, *frame)
    kind = values.dtype.newbyteorder("=")
    known: dict[str, object] = {
        str(name): value
        for name, value in array.attrs.items()
        if isinstance(value, str | int | float)
    }
    return Stack(
        values.shape, kind, kind.type(0), (), (), attributes=known, outer=outer, memory=values
    )


def blocks(stack: Stack, start: int, stop: int, block: int) -> Iterator[tuple[int, Array]]:
    """As ``reading.blocks``, of ``block`` frames each."""
    values: Any = stack.memory
    for at in range(start, stop, block):
        some = values[at : min(at + block, stop)]
        yield at, np.ascontiguousarray(some, stack.dtype).reshape(len(some), -1)


def _frame_ndim(dims: Sequence[Hashable], of_frame: Sequence[Hashable] | None) -> int | None:
    """How many of the last dimensions are a frame's; ``None`` if these are not the last ones."""
    if of_frame is None:
        return None
    inside = [dim in of_frame for dim in dims]
    count = sum(inside)
    ordered = [dim for dim in of_frame if dim in dims] == list(dims[len(dims) - count :])
    return count if ordered and (count or not of_frame) else None
