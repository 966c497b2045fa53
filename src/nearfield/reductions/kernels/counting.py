"""How many values each pixel has: what a mean over frames with bad pixels rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State


@jit()
def _count(block, found):  # type: ignore[no-untyped-def]
    for k in range(block.shape[0]):
        frame = block[k]
        for i in range(frame.size):
            found[i] += 1 if frame[i] == frame[i] else 0


@dataclass(frozen=True)
class Count:
    """Values over the frames that are not NaN, pixel by pixel. Integers always are values.

    A partial of integers is the number of frames alone.
    """

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        return {name: Output(frames.dims, frames.shape, np.dtype("i8"))}

    def start(self, frames: Frames, first: int, count: int) -> State:
        return (np.zeros(frames.pixels if frames.dtype.kind == "f" else 1, "i8"),)

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        if block.dtype.kind == "f":
            _count(block, state[0])
        else:
            state[0][0] += len(block)

    def join(self, left: State, right: State) -> State:
        np.add(left[0], right[0], out=left[0])
        return left

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        return {name: np.broadcast_to(state[0], frames.pixels).reshape(frames.shape)}
