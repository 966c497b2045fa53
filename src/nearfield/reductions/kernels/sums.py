"""Sum over the frames, pixel by pixel: exact for integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State


@jit()
def _add_exact(block, small, since, large, most):  # type: ignore[no-untyped-def]
    """Into 32-bit sums, which fit the cache; into 64-bit ones before they could overflow."""
    for k in range(block.shape[0]):
        if since[0] == most:
            for i in range(small.size):
                large[i] += small[i]
                small[i] = 0
            since[0] = 0
        frame = block[k]
        for i in range(frame.size):
            small[i] += frame[i]
        since[0] += 1


@jit()
def _add_wide(block, large):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            large[i] += frame[i]


@jit()
def _add_valid(block, large, valid):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            value = np.float64(frame[i])
            if value == value:
                large[i] += value
                valid[i] += 1


@dataclass(frozen=True)
class Sum:
    """Sum over the frames. NaN counts as no value; a pixel without any gives NaN."""

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        return {name: Output(frames.dims, frames.shape, sum_dtype(frames.dtype))}

    def start(self, frames: Frames, count: int) -> State:
        wide = sum_dtype(frames.dtype)
        large = np.zeros(frames.pixels, wide)
        if wide.kind == "f":
            return large, np.zeros(frames.pixels, "u8")
        if frames.dtype.itemsize > 2:
            return (large,)
        small = np.zeros(frames.pixels, "i4" if wide.kind == "i" else "u4")
        return large, small, np.zeros(1, "i8")

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        if state[0].dtype.kind == "f":
            _add_valid(block, state[0], state[1])
        elif len(state) == 1:
            _add_wide(block, state[0])
        else:
            bits = 8 * block.dtype.itemsize
            most = (1 << 32 - bits) if block.dtype.kind == "u" else (1 << 31 - bits)
            _add_exact(block, state[1], state[2], state[0], most)

    def join(self, left: State, right: State) -> State:
        left, right = _emptied(left), _emptied(right)
        for mine, other in zip(left, right, strict=True):
            np.add(mine, other, out=mine)
        return left

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        total, *valid = _emptied(state)
        if valid:
            total = np.where(valid[0] > 0, total, np.nan)
        return {name: total.reshape(frames.shape)}


def sum_dtype(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """Of a sum: 64 bits, signed as the data."""
    return np.dtype({"u": "u8", "b": "u8", "i": "i8"}.get(dtype.kind, "f8"))


def _emptied(state: State) -> State:
    """Without the small sums."""
    if len(state) < 3:
        return state
    large, small, _ = state
    large += small
    return (large,)
