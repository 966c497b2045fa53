"""Frames put together from chunks: tiles, regions, modules, any order of frames."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from nearfield.reductions.chunks import Chunks
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Part

Fail = Callable[[Array, str, str], None]
"""Told of frames (counted from the window's first one) that cannot be read: which, file, why."""
Tile = tuple[int, tuple[slice, ...], tuple[slice, ...]]
"""Its number, what of it is taken, and where in the stack's frame that goes."""


class Layer:
    """One part of a stack, laid into windows of frames.

    Args:
        held: Bytes of decoded chunks that it may hold; one chunk it always holds.
    """

    def __init__(self, part: Part, chunks: Chunks, held: int) -> None:
        self._part, self._chunks = part, chunks
        s = part.stored
        self._many = max(1, held // max(1, s.chunk_bytes))
        self._tiles = _tiles(part)
        self._kept: OrderedDict[tuple[int, int], Array] = OrderedDict()
        self._scattered = s.chunk[0] > 1 and (part.frames is not None or part.step != 1)
        self._direct = (
            s.chunk[0] == 1 and part.whole and s.offset.shape[1] == 1 and s.chunk[1:] == s.shape[1:]
        )

    def lay(self, window: Array, frames: range, fail: Fail, *, every: bool) -> None:
        """Into ``window``, ``(n, *frame)``: these ``n`` frames of the stack.

        All of them are the part's. Raises as ``Chunks.read`` does, and what ``fail`` raises.
        """
        taken = self._part.taken(frames[0], frames[-1] + 1)[:: frames.step]
        where = np.arange(len(window))
        if self._part.frames is not None and (taken < 0).any():
            where = np.flatnonzero(taken >= 0)
            taken = taken[where]
        if not len(taken):
            return
        row, inside = np.divmod(taken, self._part.stored.chunk[0])
        if self._direct and len(where) == len(window) and window.shape[1:] == self._part.box:
            out = window.reshape(len(window), -1).view("u1")
            for failure in self._chunks.read(row, 0, out, every=every):
                fail(where[failure.at : failure.at + 1], failure.path, failure.words)
            return
        rows, which = np.unique(row, return_inverse=True)
        lay = self._from_kept if self._scattered else self._at_once
        lay(window, rows, (where, which, inside), fail, every=every)

    def _at_once(
        self,
        window: Array,
        rows: Array,
        places: tuple[Array, Array, Array],
        fail: Fail,
        *,
        every: bool,
    ) -> None:
        """Each chunk decoded once, used, and forgotten."""
        where, which, inside = places
        s = self._part.stored
        if len(rows) > self._many:  # more rows of chunks than may be held
            for at in range(0, len(rows), self._many):
                few = (which >= at) & (which < at + self._many)
                these = where[few], which[few] - at, inside[few]
                self._at_once(window, rows[at : at + self._many], these, fail, every=every)
            return
        frames, to = _as_slice(which * s.chunk[0] + inside), _as_slice(where)
        step = max(1, self._many // len(rows))
        for at in range(0, len(self._tiles), step):
            tiles = self._tiles[at : at + step]
            numbers = np.repeat([number for number, *_ in tiles], len(rows))
            out = np.empty((len(numbers), s.chunk_bytes), "u1")
            for failure in self._chunks.read(np.tile(rows, len(tiles)), numbers, out, every=every):
                lost = where[which == failure.at % len(rows)]
                fail(lost, failure.path, failure.words)
            shape = len(tiles), len(rows) * s.chunk[0], *s.chunk[1:]
            data = out.view(window.dtype).reshape(shape)
            for (_, source, target), held in zip(tiles, data, strict=True):
                window[(to, *target)] = held[(frames, *source)]

    def _from_kept(
        self,
        window: Array,
        rows: Array,
        places: tuple[Array, Array, Array],
        fail: Fail,
        *,
        every: bool,
    ) -> None:
        """In no order: a chunk may be asked for again in the next window, so some are kept."""
        where, which, inside = places
        order = np.argsort(which, kind="stable")
        ends = np.searchsorted(which[order], np.arange(len(rows) + 1)).tolist()
        for number, source, target in self._tiles:
            for i, row in enumerate(rows.tolist()):
                here = order[ends[i] : ends[i + 1]]
                found = self._chunk(row, number, window.dtype, where[here], fail, every)
                if found is not None:
                    taken: Any = (inside[here], *source)
                    window[(_as_slice(where[here]), *target)] = found[taken]

    def _chunk(
        self,
        row: int,
        tile: int,
        dtype: np.dtype[np.generic],
        where: Array,
        fail: Fail,
        every: bool,
    ) -> Array | None:
        if (found := self._kept.get((row, tile))) is not None:
            self._kept.move_to_end((row, tile))
            return found
        if len(self._kept) >= self._many:
            self._kept.popitem(last=False)
        s = self._part.stored
        out = np.empty((1, s.chunk_bytes), "u1")
        for failure in self._chunks.read(np.array([row]), tile, out, every=every):
            fail(where, failure.path, failure.words)
            return None
        self._kept[row, tile] = out.view(dtype).reshape(s.chunk)
        return self._kept[row, tile]


def _tiles(part: Part) -> list[Tile]:
    """The chunks of one row that a part's region lies on."""
    s = part.stored
    none = (0,) * len(part.box)
    corner, at = part.of or none, part.at or none
    spans = [
        range(c // n, -(-(c + size) // n))
        for c, n, size in zip(corner, s.chunk[1:], part.box, strict=True)
    ]
    found = []
    for place in product(*spans):
        number, source, target = 0, [], []
        for i, p in enumerate(place):
            n, c = s.chunk[1 + i], corner[i]
            low, high = max(c, p * n), min(c + part.box[i], (p + 1) * n)
            number = number * s.grid[i] + p
            source.append(slice(low - p * n, high - p * n))
            target.append(slice(low - c + at[i], high - c + at[i]))
        found.append((number, tuple(source), tuple(target)))
    return found


def _as_slice(numbers: Array) -> Any:
    """As a slice where they are one run."""
    low, high = int(numbers[0]), int(numbers[-1])
    if high - low + 1 == len(numbers) and bool((np.diff(numbers) == 1).all()):
        return slice(low, high + 1)
    return numbers
