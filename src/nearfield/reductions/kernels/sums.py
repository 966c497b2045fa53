"""Sum and mean over the frames, pixel by pixel: exact for integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nearfield.errors import SumOverflowError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State


@jit()
def _add_small(block, small, since, large, most):  # type: ignore[no-untyped-def]
    """Into 32-bit sums, which fit the cache; into 64-bit ones before they could overflow.

    Four frames at once: the sums have twice the bytes of a frame, and are read and written.
    """
    k = 0
    while k < block.shape[0]:
        if since[0] + 4 > most:
            for i in range(small.size):
                large[i] += small[i]
                small[i] = 0
            since[0] = 0
        a = block[k]
        if k + 4 <= block.shape[0]:
            b, c, d = block[k + 1], block[k + 2], block[k + 3]
            for i in range(small.size):
                small[i] += a[i] + b[i] + c[i] + d[i]
            k += 4
            since[0] += 4
        else:
            for i in range(small.size):
                small[i] += a[i]
            k += 1
            since[0] += 1


@jit()
def _add_wide(block, large):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            large[i] += frame[i]


@jit()
def _add_halves(block, low, high):  # type: ignore[no-untyped-def]
    """64-bit values as two halves, whose sums cannot overflow in 2**31 frames."""
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            low[i] += np.int64(frame[i] & 0xFFFFFFFF)
            high[i] += np.int64(frame[i] >> 32)


@jit()
def _add_valid(block, large, valid):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            value = np.float64(frame[i])
            there = value == value
            large[i] += value if there else 0.0  # no branch: in vectors
            valid[i] += 1 if there else 0


@dataclass(frozen=True)
class Sum:
    """Sum over the frames. NaN counts as no value; a pixel without any gives NaN.

    A partial holds first what is summed up, then what tells how: for small integers 32-bit sums
    and how many frames are in them, for 64-bit ones the upper halves, for others how many values
    each pixel has. At last the number of frames.
    """

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        return {name: Output(frames.dims, frames.shape, sum_dtype(frames.dtype), _units(frames))}

    def start(self, frames: Frames, first: int, count: int) -> State:
        kind, number = sum_dtype(frames.dtype), np.zeros(1, "i8")
        if kind.kind == "f":
            return np.zeros(frames.pixels), np.zeros(frames.pixels, "i8"), number
        if frames.dtype.itemsize == 8:
            return np.zeros(frames.pixels, "i8"), np.zeros(frames.pixels, "i8"), number
        if frames.dtype.itemsize == 4:
            return np.zeros(frames.pixels, kind), number
        small = np.zeros(frames.pixels, "i4" if kind.kind == "i" else "u4")
        return np.zeros(frames.pixels, kind), small, np.zeros(1, "i8"), number

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        state[-1][0] += len(block)
        if len(state) == 2:
            _add_wide(block, state[0])
        elif len(state) == 4:
            bits = 8 * block.dtype.itemsize - (block.dtype.kind == "i")
            _add_small(block, state[1], state[2], state[0], 1 << (31 - bits))
        elif block.dtype.kind == "f":
            _add_valid(block, state[0], state[1])
        else:
            _add_halves(block, state[0], state[1])

    def join(self, left: State, right: State) -> State:
        left, right = _emptied(left), _emptied(right)
        for mine, other in zip(left, right, strict=True):
            np.add(mine, other, out=mine)
        return left

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        total, *rest = _emptied(state)
        if frames.dtype.kind == "f":
            total = np.where(rest[0] > 0, total, np.nan)
        elif frames.dtype.itemsize == 8:
            total = of_halves(
                total, rest[0], sum_dtype(frames.dtype), f"{name}: the sum of a pixel"
            )
        return {name: total.reshape(frames.shape)}


@dataclass(frozen=True)
class Mean(Sum):
    """Mean over the frames, rounded once where the data are integers of up to 32 bits."""

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        return {name: Output(frames.dims, frames.shape, np.dtype("f8"), _units(frames))}

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        total, *rest = _emptied(state)
        count = rest[0] if frames.dtype.kind == "f" else rest[-1]
        if frames.dtype.kind != "f" and frames.dtype.itemsize == 8:
            total = rest[0] * 2.0**32 + total
        with np.errstate(invalid="ignore", divide="ignore"):
            return {name: (total / count).reshape(frames.shape)}


def sum_dtype(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """Of a sum: 64 bits, signed as the data."""
    return np.dtype({"u": "u8", "b": "u8", "i": "i8"}.get(dtype.kind, "f8"))


def _units(frames: Frames) -> dict[str, str]:
    return {} if frames.units is None else {"units": frames.units}


def _emptied(state: State) -> State:
    """Without the small sums."""
    if len(state) != 4:
        return state
    large, small, _, number = state
    return large + small, number


def of_halves(low: Array, high: Array, kind: np.dtype[np.generic], what: str) -> Array:
    """Sums of 64-bit integers from those of their halves; ``what`` is for the error.

    Raises:
        SumOverflowError: one is too large.
    """
    limits = np.iinfo(kind.str)
    carried, low = high + (low >> 32), low & 0xFFFFFFFF
    least, most = limits.min >> 32, limits.max >> 32
    if (carried < least).any() or (carried > most).any():
        raise SumOverflowError(
            f"{what} does not fit in 64 bits",
            hint="ask for the mean, for fewer frames, or without invalid values (invalid=True)",
        )
    found: Array = (carried.astype(kind) << kind.type(32)) + low.astype(kind)
    return found
