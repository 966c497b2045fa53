"""A stack as an array that xarray indexes: only the chunks that are asked for are read."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.reading import blocks
from nearfield.reductions.selecting import region
from nearfield.reductions.stack import Shape, Stack

CHUNK = 32 << 20
"""Bytes of a chunk that is offered to Dask; 16 to 64 MB cost least."""
SMALL = 4 << 20
"""A frame or chunk of these bytes is no longer what a task costs."""
_SINGLE = 16
"""Readings of one frame each, one after the other, that make a habit."""


class SmallChunksWarning(UserWarning):
    """Somebody computes frame by frame: a task for each frame costs far more than its data."""


def frames_a_chunk(stack: Stack) -> int:
    """Whole frames of about 32 MB; a multiple of those that one chunk of the file holds."""
    rows = max((part.stored.chunk[0] for part in stack.parts), default=1)
    wanted = max(1, CHUNK // max(1, stack.frame_bytes))
    return max(rows, wanted // rows * rows)


def preferred(stack: Stack) -> Shape:
    """The chunk along each axis of the dataset; of a scan, whole rows of it where they fit."""
    left = frames_a_chunk(stack)
    sizes: list[int] = []
    for length in reversed(stack.outer):
        sizes.append(max(1, min(length, left)))
        left //= max(1, length)
    return (*reversed(sizes), *stack.frame_shape)


def advice(dims: tuple[str, ...], stack: Stack) -> str:
    """The chunks to ask for."""
    wanted = dict(zip(dims[: len(stack.outer)], preferred(stack), strict=False))
    return f"chunks={{}} when it is opened, or .chunk({wanted}), gives chunks of about 32 MB"


class FramesArray(BackendArray):
    """The array of a dataset: the axes that count frames, then those of a frame.

    It is safe in threads, holds no open file, and pickles.
    """

    def __init__(self, stack: Stack, dims: tuple[str, ...]) -> None:
        self.stack, self.dims = stack, dims
        self.shape = (*stack.outer, *stack.frame_shape)
        self.dtype = stack.dtype
        self._single = 0

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._part
        )

    def _part(self, key: tuple[Any, ...]) -> Array:
        """What an outer key (an integer, a slice or integers for each axis) selects."""
        cut = len(self.stack.outer)
        places = [np.atleast_1d(np.arange(n)[k]) for n, k in zip(self.shape, key, strict=True)]
        frames = np.zeros((), "i8")
        for n, place in zip(self.stack.outer, places[:cut], strict=True):
            frames = frames[..., None] * n + place
        self._count(frames.size)
        found = self._read(frames.reshape(-1), places[cut:])
        shape = [
            len(p) for p, k in zip(places, key, strict=True) if not isinstance(k, int | np.integer)
        ]
        return found.reshape(shape)

    def _read(self, frames: NDArray[np.int64], inner: list[NDArray[np.int64]]) -> Array:
        """Frames in any order, and of each the positions ``inner`` along its axes."""
        out = np.empty((len(frames), *(len(p) for p in inner)), self.dtype)
        if not out.size:
            return out
        ordered, back = np.unique(frames, return_inverse=True)
        stack = self.stack
        corner = tuple(int(p.min()) for p in inner)
        box = tuple(int(p.max()) + 1 - low for p, low in zip(inner, corner, strict=True))
        tiled = any(p.stored.offset.shape[1] > 1 for p in stack.parts)
        if tiled and box != stack.frame_shape:
            stack = region(stack, corner, box)
            inner = [p - low for p, low in zip(inner, corner, strict=True)]
        at = 0
        for first, block in self._blocks(stack, ordered):
            end = at + int(np.searchsorted(ordered[at:], first + len(block)))
            rows = ordered[at:end] - first
            values = block.reshape(-1, *stack.frame_shape)
            out[at:end] = _outer(values, [rows, *inner])
            at = end
        return out if np.array_equal(ordered, frames) else out[back]

    def _blocks(self, stack: Stack, frames: NDArray[np.int64]) -> Iterator[tuple[int, Array]]:
        """Blocks with all of ``frames``; two frames of one chunk of the file are read together."""
        near = max((part.stored.chunk[0] for part in stack.parts), default=1)
        for run in np.split(frames, np.flatnonzero(np.diff(frames) > near) + 1):
            yield from blocks(stack, int(run[0]), int(run[-1]) + 1)

    def _count(self, frames: int) -> None:
        """Warns, once, where frames are read one by one and many would fit into a chunk."""
        if self._single < 0 or math.prod(self.stack.outer) <= _SINGLE:
            return
        self._single = self._single + 1 if frames == 1 else 0
        if self._single >= _SINGLE:
            self._single = -1
            if self.stack.frame_bytes <= SMALL:
                warnings.warn(
                    f"frames are read one by one: {advice(self.dims, self.stack)}; "
                    "nearfield.reduce needs no chunks at all",
                    SmallChunksWarning,
                    stacklevel=2,
                )


def _outer(values: Array, places: list[NDArray[np.int64]]) -> Array:
    """The outer indexing of numpy arrays; evenly spaced positions as slices, without a copy."""
    slices: list[slice] = []
    rest: list[tuple[int, NDArray[np.int64]]] = []
    for axis, place in enumerate(places):
        steps = np.diff(place)
        if (
            len(place)
            and (steps == (step := int(steps[0]) if len(steps) else 1)).all()
            and step > 0
        ):
            slices.append(slice(int(place[0]), int(place[-1]) + 1, step))
        else:
            slices.append(slice(None))
            rest.append((axis, place))
    found = values[tuple(slices)]
    for axis, place in rest:
        found = np.take(found, place, axis)
    return found
