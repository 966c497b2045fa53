"""The least and the greatest value over the frames, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State


@jit()
def _greatest(block, found):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            found[i] = max(found[i], frame[i])


@jit()
def _least(block, found):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            found[i] = min(found[i], frame[i])


@jit()
def _greatest_valid(block, found):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            if frame[i] > found[i] or found[i] != found[i]:
                found[i] = frame[i]


@jit()
def _least_valid(block, found):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            if frame[i] < found[i] or found[i] != found[i]:
                found[i] = frame[i]


@dataclass(frozen=True)
class Extremum:
    """Maximum or minimum, in the type of the data. NaN counts as no value."""

    greatest: bool

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        units = {} if frames.units is None else {"units": frames.units}
        return {name: Output(frames.dims, frames.shape, frames.dtype, units)}

    def start(self, frames: Frames, first: int, count: int) -> State:
        if frames.dtype.kind == "f":
            return (np.full(frames.pixels, np.nan, frames.dtype),)
        limits = np.iinfo(frames.dtype.str)
        first = limits.min if self.greatest else limits.max
        return (np.full(frames.pixels, first, frames.dtype),)

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        valid = block.dtype.kind == "f"
        if self.greatest:
            (_greatest_valid if valid else _greatest)(block, state[0])
        else:
            (_least_valid if valid else _least)(block, state[0])

    def join(self, left: State, right: State) -> State:
        # fmax and fmin take the other where one is NaN; on integers they are maximum and minimum.
        (np.fmax if self.greatest else np.fmin)(left[0], right[0], out=left[0])
        return left

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        return {name: state[0].reshape(frames.shape)}
