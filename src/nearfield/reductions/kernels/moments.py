"""Variance and standard deviation over the frames, pixel by pixel.

Small integers (8 and 16 bits) have exact sums of values and of squares in 64 bits, so that nothing
is rounded before the last division. All others go through Welford's update (*Technometrics* 4,
1962, 419), and partial results are joined by the formula of Chan, Golub and LeVeque (*Stanford
report STAN-CS-79-773*, 1979): no difference of large sums is ever taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State

Kind = Literal["var", "std"]


@jit()
def _squares(block, ones, twos):  # type: ignore[no-untyped-def]
    """Four frames at once: the sums have eight times the bytes of a frame, read and written."""
    k = 0
    while k + 4 <= block.shape[0]:
        a, b, c, d = block[k], block[k + 1], block[k + 2], block[k + 3]
        for i in range(ones.size):
            v, w, x, y = np.int64(a[i]), np.int64(b[i]), np.int64(c[i]), np.int64(d[i])
            ones[i] += v + w + x + y
            twos[i] += v * v + w * w + x * x + y * y
        k += 4
    while k < block.shape[0]:
        frame = block[k]
        for i in range(ones.size):
            value = np.int64(frame[i])
            ones[i] += value
            twos[i] += value * value
        k += 1


@jit()
def _welford(block, count, mean, spread, even):  # type: ignore[no-untyped-def]
    """Update; ``even[0]`` is the number of frames as long as no pixel missed one, else -1."""
    for k in range(block.shape[0]):
        frame = block[k]
        if even[0] >= 0:
            missed = False
            for i in range(frame.size):
                missed |= np.isnan(np.float64(frame[i]))
            if missed:
                count[:] = even[0]
                even[0] = -1
        if even[0] >= 0:
            even[0] += 1
            part = 1.0 / even[0]
            for i in range(frame.size):
                away = np.float64(frame[i]) - mean[i]
                mean[i] += away * part
                spread[i] += away * (np.float64(frame[i]) - mean[i])
        else:
            for i in range(frame.size):
                value = np.float64(frame[i])
                if value == value:
                    count[i] += 1
                    away = value - mean[i]
                    mean[i] += away / count[i]
                    spread[i] += away * (value - mean[i])


@dataclass(frozen=True)
class Moments:
    """Variance or standard deviation. NaN counts as no value; too few values give NaN.

    Attributes:
        kind: Which of them.
        ddof: What is taken off the number of frames in the variance's divisor.
    """

    kind: Kind
    ddof: int = 0

    def __post_init__(self) -> None:
        if self.ddof < 0:
            raise UsageError(f"ddof is {self.ddof}: it cannot be less than 0")

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        units = {} if frames.units is None else {"units": _units(frames.units, self.kind)}
        return {name: Output(frames.dims, frames.shape, np.dtype("f8"), units)}

    def start(self, frames: Frames, first: int, count: int) -> State:
        if _small(frames):
            return (
                np.zeros(frames.pixels, "i8"),
                np.zeros(frames.pixels, "i8"),
                np.zeros(1, "i8"),
            )
        nothing = (np.zeros(frames.pixels) for _ in range(3))
        return (*nothing, np.zeros(1, "i8"))

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        if len(state) == 3:
            _squares(block, state[0], state[1])
            state[2][0] += len(block)
        else:
            _welford(block, *state)

    def join(self, left: State, right: State) -> State:
        if len(left) == 3:
            for mine, other in zip(left, right, strict=True):
                np.add(mine, other, out=mine)
            return left
        (n, mean, spread, even), (m, other, further, also) = left, right
        if even[0] >= 0 and also[0] >= 0:
            both = float(even[0] + also[0])
            weight = also[0] / both if both else 0.0
            crossed = even[0] * weight
            total, left_over = np.array([even[0] + also[0]]), n
        else:
            n, m = (np.full_like(a, b[0]) if b[0] >= 0 else a for a, b in ((n, even), (m, also)))
            left_over = n + m
            with np.errstate(invalid="ignore", divide="ignore"):
                weight = np.where(left_over > 0, m / left_over, 0.0)
            crossed = n * weight
            total = np.array([-1])
        away = other - mean
        return left_over, mean + away * weight, spread + further + away * away * crossed, total

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        if len(state) == 3:
            count, spread = _of_sums(*state)
        else:
            n, _, spread, even = state
            count = np.asarray(even[0] if even[0] >= 0 else n, "f8")
        with np.errstate(invalid="ignore", divide="ignore"):
            left = np.asarray(count - self.ddof)
            found = np.where(left > 0, np.maximum(spread, 0) / left, np.nan)
            if self.kind == "std":
                found = np.sqrt(found)
        return {name: np.broadcast_to(found, frames.pixels).reshape(frames.shape)}


def _small(frames: Frames) -> bool:
    return frames.dtype.kind in "iub" and frames.dtype.itemsize <= 2


def _of_sums(ones: Array, twos: Array, number: Array) -> tuple[Array, Array]:
    """Count and sum of squared deviations, rounded once.

    With ``ones = q * n + r`` the sum of squared deviations is
    ``twos - ones * q - q * r - r * r / n``; all but the last term is an integer of 64 bits.
    """
    n = int(number[0])
    if n == 0:
        return np.zeros(()), ones.astype("f8")
    q, r = np.divmod(ones, n)
    spread = (twos - ones * q - q * r).astype("f8") - r.astype("f8") ** 2 / n
    return np.asarray(n, "f8"), spread


def _units(units: str, kind: Kind) -> str:
    return f"({units})^2" if kind == "var" else units
