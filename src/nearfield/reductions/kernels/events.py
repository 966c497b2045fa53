"""Neutron events, each a pixel and a time of flight, counted in pixels and bins of time.

A frame is one event's time; the number of its pixel is read beside it, from another array of the
same file.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.index import renewed
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State
from nearfield.reductions.stack import Shape, Stack

COUNTS, LEFT_OUT = "counts", "left_out"
MAX_COUNTS = 1 << 31
"""Of pixels and bins: 16 GB."""
_TABLE = 50_000_000
"""Pixel numbers that are looked up in a table; others are searched for."""
_UP = np.iinfo(np.int64).max

Coordinate = tuple[tuple[str, ...], Array, Mapping[str, Any]]


@jit()
def _add(pixels, times, first, table, ids, edges, even, counts, left_out):  # type: ignore[no-untyped-def]
    """``table`` has the place of each pixel number from ``first`` on, or of each of ``ids``.

    Bins as of ``numpy.histogram``: the last one holds its upper edge too.
    """
    low, high, bins = edges[0], edges[edges.size - 1], edges.size - 1
    scale = bins / (high - low)
    for i in range(times.size):
        time = np.float64(times[i])
        number = np.int64(pixels[i])
        if ids.size:
            at = np.searchsorted(ids, number)
            place = table[at] if at < ids.size and ids[at] == number else -1
        else:
            at = number - first
            place = table[at] if 0 <= at < table.size else -1
        if place < 0 or not low <= time <= high:
            left_out[0] += 1
            continue
        if even:
            bin_ = min(np.int64((time - low) * scale), bins - 1)
            # The quotient is rounded: the edges themselves decide.
            if time < edges[bin_]:
                bin_ -= 1
            elif bin_ < bins - 1 and time >= edges[bin_ + 1]:
                bin_ += 1
        else:
            bin_ = min(np.searchsorted(edges, time, side="right") - 1, bins - 1)
        counts[place, bin_] += 1


@dataclass(frozen=True, eq=False, repr=False)
class Events:
    """Counts of events by pixel and time of flight.

    Attributes:
        pixels: The stack of the events' pixel numbers.
        numbers: Of the detector's pixels, in the detector's shape; none twice.
        edges: Of the bins, in the unit of the file.
        shown: The same edges in the unit of the result.
        dims: Of ``numbers``.
        coordinates: Of the result.
        units: Of ``shown``.
        begin: The event that is the first of the frames.
    """

    pixels: Stack
    numbers: Array
    edges: Array
    shown: Array
    dims: tuple[str, ...]
    coordinates: Mapping[str, Coordinate]
    units: str
    begin: int = 0

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, "f8")
        if edges.ndim != 1 or edges.size < 2 or not np.isfinite(edges).all():
            raise UsageError("time_of_flight needs the finite edges of at least one bin")
        if not (np.diff(edges) > 0).all():
            raise UsageError("the edges of time_of_flight must grow")
        object.__setattr__(self, "edges", edges)
        if self.numbers.size * (edges.size - 1) > MAX_COUNTS:
            raise UsageError(
                f"{self.numbers.size:,} pixels times {edges.size - 1:,} bins are too many counts",
                hint="fewer bins, or one bank after the other",
            )
        if len(np.unique(self.numbers)) != self.numbers.size:
            raise UsageError("some of the detector's pixels have the same number")

    def __repr__(self) -> str:
        low, high = self.shown[[0, -1]].tolist()
        return f"{len(self.shown) - 1} bins, {low:g} to {high:g} {self.units}"

    @property
    def beside(self) -> tuple[Stack, ...]:
        """What is read beside the frames, as many as they are."""
        return (self.pixels,)

    @property
    def _shape(self) -> Shape:
        return self.numbers.size, self.edges.size - 1

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        units = {"units": self.units}
        low, high = self.shown[:-1], self.shown[1:]
        coords: dict[str, Coordinate] = {
            **self.coordinates,
            name: ((name,), (low + high) / 2, {**units, "long_name": "middle of the bin"}),
            f"{name}_low": ((name,), low, {**units, "long_name": "lower edge"}),
            f"{name}_high": ((name,), high, {**units, "long_name": "upper edge"}),
        }
        counts = {"units": "counts", "long_name": "events"}
        apart = {"units": "counts", "long_name": "events of other pixels or at other times"}
        return {
            COUNTS: Output(
                (*self.dims, name),
                (*self.numbers.shape, len(low)),
                np.dtype("i8"),
                counts,
                coords,
            ),
            LEFT_OUT: Output((), (), np.dtype("i8"), apart),
        }

    def start(self, frames: Frames, first: int, count: int) -> State:
        return np.zeros(self._shape, "i8"), np.zeros(1, "i8")

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        from nearfield.reductions.reading import blocks

        times = block.reshape(-1)
        begin, table, ids = self._places
        low = self.begin + first
        for number, pixels in blocks(renewed(self.pixels), low, low + len(times)):
            some = times[number - low : number - low + len(pixels)]
            _add(pixels.reshape(-1), some, begin, table, ids, self.edges, self._even, *state)

    @functools.cached_property
    def _places(self) -> tuple[int, Array, Array]:
        flat = self.numbers.reshape(-1).astype("i8")
        low, high = int(flat.min(initial=_UP)), int(flat.max(initial=-_UP))
        if not flat.size or high - low < _TABLE:
            table = np.full(max(0, high - low + 1) if flat.size else 0, -1, "i4")
            table[flat - low] = np.arange(flat.size)
            return low, table, np.zeros(0, "i8")
        order = np.argsort(flat)
        return 0, order.astype("i4"), flat[order]

    @functools.cached_property
    def _even(self) -> bool:
        width = np.diff(self.edges)
        with np.errstate(over="ignore", divide="ignore"):
            scale = len(width) / (self.edges[-1] - self.edges[0])
        return bool(np.isfinite(scale) and scale > 0 and np.allclose(width, width[0], 1e-9, 0))

    def join(self, left: State, right: State) -> State:
        for to, more in zip(left, right, strict=True):
            np.add(to, more, out=to)
        return left

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        counts, left_out = state
        return {
            COUNTS: counts.reshape(*self.numbers.shape, -1),
            LEFT_OUT: left_out.reshape(()),
        }
