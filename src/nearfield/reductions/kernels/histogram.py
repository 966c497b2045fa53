"""How often which values occur, over all pixels and frames."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State


@jit()
def _count(block, edges, even, counts):  # type: ignore[no-untyped-def]
    """As ``numpy.histogram``: the last bin holds its upper edge too. NaN is in none."""
    low, high, bins = edges[0], edges[edges.size - 1], edges.size - 1
    scale = bins / (high - low)
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            value = np.float64(frame[i])
            if not low <= value <= high:
                continue
            if even:
                at = min(np.int64((value - low) * scale), bins - 1)
                # The quotient is rounded: the edges themselves decide.
                if value < edges[at]:
                    at -= 1
                elif at < bins - 1 and value >= edges[at + 1]:
                    at += 1
            else:
                at = min(np.searchsorted(edges, value, side="right") - 1, bins - 1)
            counts[at] += 1


@jit()
def _look_up(block, table, counts):  # type: ignore[no-untyped-def]
    """``table`` has each value's bin, or the number of bins where it is in none.

    Four counts side by side: neighbours are often alike, and to count the same bin again has to
    wait for the time before.
    """
    each = np.zeros((4, counts.size + 1), np.int64)
    for k in range(block.shape[0]):
        frame = block[k]
        whole = frame.size // 4
        for i in range(whole):
            for j in range(4):
                each[j, table[frame[4 * i + j]]] += 1
        for i in range(4 * whole, frame.size):
            each[0, table[frame[i]]] += 1
    for j in range(4):
        for b in range(counts.size):
            counts[b] += each[j, b]


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of pixels by value.

    Attributes:
        edges: Of the bins, growing, ``(bins + 1,)``; the last bin holds its upper edge too.
    """

    edges: Array

    def __post_init__(self) -> None:
        if np.asarray(self.edges).dtype.kind not in "iuf":
            raise UsageError(f"the edges of a histogram are {np.asarray(self.edges).dtype}")
        edges = np.asarray(self.edges, "f8")
        if edges.ndim != 1 or edges.size < 2 or not np.isfinite(edges).all():
            raise UsageError("a histogram needs the finite edges of at least one bin")
        if not (np.diff(edges) > 0).all():
            raise UsageError("the edges of a histogram must grow")
        object.__setattr__(self, "edges", edges)

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        dim = f"{name}_value"
        units = {} if frames.units is None else {"units": frames.units}
        middle = (self.edges[1:] + self.edges[:-1]) / 2
        coords = {
            dim: ((dim,), middle, {**units, "long_name": "middle of the bin"}),
            f"{name}_low": ((dim,), self.edges[:-1], {**units, "long_name": "lower edge"}),
            f"{name}_high": ((dim,), self.edges[1:], {**units, "long_name": "upper edge"}),
        }
        return {name: Output((dim,), middle.shape, np.dtype("i8"), {"units": "1"}, coords)}

    def start(self, frames: Frames, first: int, count: int) -> State:
        return (np.zeros(self.edges.size - 1, "i8"),)

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        if block.dtype.kind in "iu" and block.dtype.itemsize <= 2:
            unsigned = block.view(f"u{block.dtype.itemsize}")
            _look_up(unsigned, self._table(block.dtype), state[0])
        else:
            _count(block, self.edges, self._even, state[0])

    def _table(self, dtype: np.dtype[np.generic]) -> Array:
        """The bin of each value of a small integer, by its bits."""
        if dtype.str not in self._tables:
            bins = self.edges.size - 1
            bits = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
            values = bits.view(dtype).astype("f8")
            at = np.searchsorted(self.edges, values, side="right") - 1
            at[values == self.edges[-1]] = bins - 1
            at[(at < 0) | (at >= bins)] = bins
            self._tables[dtype.str] = at.astype("u4")
        return self._tables[dtype.str]

    @functools.cached_property
    def _tables(self) -> dict[str, Array]:
        return {}

    @property
    def _even(self) -> bool:
        width = np.diff(self.edges)
        # Where the edges are so far apart or so close that this is no number, they are looked at.
        with np.errstate(over="ignore", divide="ignore"):
            scale = len(width) / (self.edges[-1] - self.edges[0])
        return bool(np.isfinite(scale) and scale > 0 and np.allclose(width, width[0], 1e-9, 0))

    def join(self, left: State, right: State) -> State:
        np.add(left[0], right[0], out=left[0])
        return left

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        return {name: state[0]}
