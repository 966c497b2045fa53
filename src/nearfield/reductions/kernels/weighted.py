"""Sums over each frame with a weight for each pixel: virtual detectors with soft edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State
from nearfield.reductions.stack import Shape


@jit()
def _weigh(block, at, pixels, weights, of, out, valid):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for m in range(of.size - 1):
            total, some = 0.0, False
            for j in range(of[m], of[m + 1]):
                value = np.float64(frame[pixels[j]])
                if value == value:
                    total += weights[j] * value
                    some = True
            out[at + k, m] = total
            valid[at + k, m] = some


@dataclass(frozen=True, eq=False)
class Weighted:
    """Per frame the weighted sum over each of some masks, in float64. NaN counts as no value.

    Attributes:
        names: Of the masks.
        pixels, weights: Those that are not 0, of one mask after the other.
        of: Mask *m* has ``of[m]:of[m + 1]``.
    """

    names: tuple[str, ...]
    pixels: Array
    weights: Array
    of: Array
    shape: Shape
    dim: str = "mask"

    @classmethod
    def of_masks(cls, masks: Mapping[str, Array], shape: Shape, dim: str = "mask") -> Weighted:
        """Of arrays as large as a frame. Raises UsageError for one that is not."""
        pixels, weights = [], []
        for name, mask in masks.items():
            if mask.shape != shape:
                raise UsageError(f"mask {name!r} is {mask.shape}, a frame {shape}")
            flat = np.asarray(mask, "f8").ravel()
            pixels.append(np.flatnonzero(flat))
            weights.append(flat[pixels[-1]])
        of = np.cumsum([0, *map(len, pixels)])
        return cls(
            tuple(masks),
            np.concatenate([np.empty(0, "i8"), *pixels]),
            np.concatenate([np.empty(0), *weights]),
            of,
            shape,
            dim,
        )

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        if self.shape != frames.shape:
            raise UsageError(f"{name}: made for frames of {self.shape}, these are {frames.shape}")
        names: dict[str, Any] = {self.dim: ((self.dim,), np.array(self.names), {})}
        shape = (frames.count, len(self.names))
        return {name: Output((frames.frame_dim, self.dim), shape, np.dtype("f8"), coords=names)}

    def start(self, frames: Frames, first: int, count: int) -> State:
        shape = (count, len(self.names))
        return np.zeros(shape), np.zeros(shape, bool)

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        _weigh(block, at, self.pixels, self.weights, self.of, *state)

    def join(self, left: State, right: State) -> State:
        return tuple(np.concatenate(both) for both in zip(left, right, strict=True))

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        return {name: np.where(state[1], state[0], np.nan)}
