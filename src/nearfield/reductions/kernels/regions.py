"""Sums over regions of each frame: rectangles, and masks of any form, binary or weighted.

A virtual detector is a mask: of ones and zeros, or of weights. Binary ones become runs of pixels,
which are summed at the speed of memory; weighted ones keep their pixels' numbers and weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State
from nearfield.reductions.kernels._vectors import LANES, run_sum, run_valid
from nearfield.reductions.kernels.sums import of_halves, sum_dtype

_RUN = 1 << 15
"""The longest run: the sum of so many 16-bit values fits 32 bits."""


@jit()
def _runs_vectors(block, at, runs, of, out):  # type: ignore[no-untyped-def]
    """Sums of integers of up to 32 bits: mask ``m`` has the runs ``of[m]:of[m+1]``."""
    for k in range(block.shape[0]):
        frame = block[k]
        for m in range(of.size - 1):
            total = np.int64(0)
            for r in range(of[m], of[m + 1]):
                total += run_sum(frame, runs[r, 0], runs[r, 1])
            out[at + k, m] += total


@jit()
def _runs_wide(block, at, runs, of, out):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for m in range(of.size - 1):
            total = out[at + k, m]
            for r in range(of[m], of[m + 1]):
                for i in range(runs[r, 0], runs[r, 1]):
                    total += frame[i]
            out[at + k, m] = total


@jit()
def _runs_halves(block, at, runs, of, low, high):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for m in range(of.size - 1):
            for r in range(of[m], of[m + 1]):
                for i in range(runs[r, 0], runs[r, 1]):
                    low[at + k, m] += np.int64(frame[i] & 0xFFFFFFFF)
                    high[at + k, m] += np.int64(frame[i] >> 32)


@jit()
def _runs_valid(block, at, runs, of, out, valid):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for m in range(of.size - 1):
            total, number = 0.0, 0
            for r in range(of[m], of[m + 1]):
                if frame.size >= LANES:
                    part, there = run_valid(frame, runs[r, 0], runs[r, 1])
                    total += part
                    number += there
                    continue
                for i in range(runs[r, 0], runs[r, 1]):
                    value = np.float64(frame[i])
                    if value == value:
                        total += value
                        number += 1
            out[at + k, m] = total
            valid[at + k, m] = number


@dataclass(frozen=True, eq=False)
class Regions:
    """Per frame the sum over each of some binary masks. NaN counts as no value.

    Attributes:
        names: Of the regions.
        runs: ``(n, 2)``, begin and end of runs of pixels in the flat frame.
        of: Region *m* has the runs ``of[m]:of[m + 1]``.
        dim: The result's dimension that counts the regions; ``None`` for one region alone.
        counted: Tell too how many pixels had a value, as ``NAME_count``.
    """

    names: tuple[str, ...]
    runs: Array
    of: Array
    shape: tuple[int, ...]
    dim: str | None = "region"
    counted: bool = False

    @classmethod
    def of_masks(
        cls, masks: Mapping[str, Array], shape: tuple[int, ...], dim: str | None = "region"
    ) -> Regions:
        """Of arrays as large as a frame: a pixel counts where it is not 0.

        Raises:
            UsageError: a mask has another shape than a frame.
        """
        found = []
        for name, mask in masks.items():
            if mask.shape != shape:
                raise UsageError(f"mask {name!r} is {mask.shape}, a frame {shape}")
            found.append(_runs_of(mask))
        counts = np.cumsum([0, *map(len, found)])
        return cls(
            tuple(masks), np.concatenate([np.empty((0, 2), "i8"), *found]), counts, shape, dim
        )

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        if self.shape != frames.shape:
            raise UsageError(f"{name}: made for frames of {self.shape}, these are {frames.shape}")
        kind = sum_dtype(frames.dtype)
        dims: tuple[str, ...] = (frames.frame_dim,)
        shape: tuple[int, ...] = (frames.count,)
        coords: dict[str, Any] = {}
        if self.dim is not None:
            dims, shape = (*dims, self.dim), (*shape, len(self.names))
            coords = {self.dim: ((self.dim,), np.array(self.names), {})}
        attrs = {} if frames.units is None else {"units": frames.units}
        made = {name: Output(dims, shape, kind, attrs, coords)}
        if self.counted:
            told = {"long_name": f"pixels of {name} that have a value"}
            made[f"{name}_count"] = Output(dims, shape, np.dtype("i8"), told, coords)
        return made

    def start(self, frames: Frames, first: int, count: int) -> State:
        kind = sum_dtype(frames.dtype)
        shape = count, len(self.names)
        if kind.kind != "f" and frames.dtype.itemsize == 8:
            return np.zeros(shape, "i8"), np.zeros(shape, "i8")
        return (
            (np.zeros(shape, kind), np.zeros(shape, "i8"))
            if kind.kind == "f"
            else (np.zeros(shape, kind),)
        )

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        if len(state) == 2:
            add = _runs_valid if block.dtype.kind == "f" else _runs_halves
            add(block, at, self.runs, self.of, *state)
        elif block.dtype.kind in "iu" and block.shape[1] >= LANES:
            _runs_vectors(block, at, self.runs, self.of, state[0])
        else:
            _runs_wide(block, at, self.runs, self.of, state[0])

    def join(self, left: State, right: State) -> State:
        return tuple(np.concatenate(both) for both in zip(left, right, strict=True))

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        if len(state) == 1:
            sums = state[0]
        elif frames.dtype.kind == "f":
            sums = np.where(state[1] > 0, state[0], np.nan)
        else:
            kind = sum_dtype(frames.dtype)
            sums = of_halves(state[0], state[1], kind, f"{name}: the sum of a region")
        found = {name: sums}
        if self.counted and frames.dtype.kind == "f":
            found[f"{name}_count"] = state[1]
        elif self.counted:
            pixels = np.diff(np.append(0, np.cumsum(np.diff(self.runs).ravel()))[self.of])
            found[f"{name}_count"] = np.broadcast_to(pixels, sums.shape)
        return {n: each[:, 0] if self.dim is None else each for n, each in found.items()}


def _runs_of(mask: Array) -> Array:
    """The runs of pixels that are set: ``(n, 2)``, none longer than ``_RUN``."""
    padded = np.zeros(mask.size + 2, "i1")  # a byte for each pixel: frames may be large
    np.not_equal(mask.ravel(), 0, out=padded[1:-1].view(bool))
    edges = np.diff(padded)
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    cut = [
        (at, min(at + _RUN, end))
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        for at in range(begin, end, _RUN)
    ]
    return np.array(cut, "i8").reshape(-1, 2)
