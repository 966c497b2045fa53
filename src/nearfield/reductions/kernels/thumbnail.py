"""One small picture of a stack: the mean over the frames and over blocks of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State
from nearfield.reductions.kernels.rebinning import axis_of, blocks

PERCENTILES = (1, 99.5)
"""Of the picture's pixels: between them is what the eye is to tell apart."""


@jit()
def _add(block, most, sums, count):  # type: ignore[no-untyped-def]
    """``most``: from here on integers say that a pixel has no value; empty: none does."""
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            value = frame[i]
            there = value == value and (most.size == 0 or value < most[0])
            sums[i] += np.float64(value) if there else 0.0
            count[i] += 1 if there else 0


@dataclass(frozen=True)
class Thumbnail:
    """A picture of at most ``edge`` by ``edge`` pixels, each of as many pixels of a frame along
    both axes; NaN where none has a value. And the limits of a contrast that a few bright pixels do
    not spoil, ``NAME_limits``.

    The two largest numbers of an unsigned type are no values: so detectors mark dead pixels, and
    a picture of these shows nothing else.
    """

    edge: int

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        if len(frames.shape) != 2:
            raise UsageError(f"{name}: the frames are {frames.shape}, a picture has two axes")
        coords: dict[str, Any] = {}
        dims = []
        for dim in frames.dims:
            label, coords[label] = axis_of(name, dim, self._step(frames), frames)
            dims.append(label)
        units = {} if frames.units is None else {"units": frames.units}
        told = {"long_name": f"{PERCENTILES[0]} and {PERCENTILES[1]} % of the picture are below"}
        limits: dict[str, Any] = {"limit": (("limit",), np.array(["low", "high"]), {})}
        shape = tuple(-(-n // self._step(frames)) for n in frames.shape)
        return {
            name: Output(tuple(dims), shape, np.dtype("f8"), units, coords),
            f"{name}_limits": Output(("limit",), (2,), np.dtype("f8"), {**units, **told}, limits),
        }

    def start(self, frames: Frames, first: int, count: int) -> State:
        return np.zeros(frames.pixels), np.zeros(frames.pixels, "i8")

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        marked = block.dtype.kind == "u" and block.dtype.itemsize > 1
        most = [np.iinfo(block.dtype.str).max - 1] if marked else []
        _add(block, np.array(most, block.dtype), *state)

    def join(self, left: State, right: State) -> State:
        for mine, other in zip(left, right, strict=True):
            np.add(mine, other, out=mine)
        return left

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        steps = (self._step(frames),) * 2
        total, count = (blocks(each.reshape(frames.shape), steps) for each in state)
        with np.errstate(invalid="ignore", divide="ignore"):
            made = total / count
        there = made[np.isfinite(made)]
        limits = np.percentile(there, PERCENTILES) if there.size else np.full(2, np.nan)
        return {name: made, f"{name}_limits": limits}

    def _step(self, frames: Frames) -> int:
        return max(1, -(-max(frames.shape) // self.edge))
