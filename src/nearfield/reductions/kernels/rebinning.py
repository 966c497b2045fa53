"""Sums over blocks of pixels, and of frames: a smaller stack."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State, no_value
from nearfield.reductions.kernels.sums import of_halves, sum_dtype
from nearfield.reductions.stack import Shape

MOST = 2_000_000_000
"""Bytes of a result, which is held in memory."""


@jit()
def _bin(block, rows, target, step, out):  # type: ignore[no-untyped-def]
    """Each line of a frame goes to line ``target``, and ``step`` pixels of it to one.

    Lines that go to the same one are added up first: that is done in vectors.
    """
    lines = target.size
    width = block.shape[1] // lines
    wide = -(-width // step)
    line = np.zeros(width, np.int64)
    for k in range(block.shape[0]):
        for r in range(lines):
            part = block[k, r * width : (r + 1) * width]
            for x in range(width):
                line[x] += part[x]
            if r + 1 == lines or target[r + 1] != target[r]:
                into = out[rows[k], target[r] * wide : (target[r] + 1) * wide]
                _fold(line, step, into)
                line[:] = 0


@jit()
def _fold(line, step, into):  # type: ignore[no-untyped-def]
    """Each ``step`` values of a line into one; pairs, which are frequent, in vectors."""
    full = line.size // step
    if step == 2:
        for i in range(full):
            into[i] += line[2 * i] + line[2 * i + 1]
    else:
        for i in range(full):
            total = line[i * step]
            for x in range(i * step + 1, (i + 1) * step):
                total += line[x]
            into[i] += total
    for x in range(full * step, line.size):
        into[full] += line[x]


@jit()
def _bin_halves(block, rows, target, step, low, high):  # type: ignore[no-untyped-def]
    lines = target.size
    width = block.shape[1] // lines
    wide = -(-width // step)
    for k in range(block.shape[0]):
        frame = block[k]
        for r in range(lines):
            for x in range(width):
                value, at = frame[r * width + x], target[r] * wide + x // step
                low[rows[k], at] += np.int64(value & 0xFFFFFFFF)
                high[rows[k], at] += np.int64(value >> 32)


@jit()
def _bin_valid(block, rows, target, step, out, valid):  # type: ignore[no-untyped-def]
    lines = target.size
    width = block.shape[1] // lines
    wide = -(-width // step)
    line, there = np.zeros(width), np.zeros(width, np.int64)
    for k in range(block.shape[0]):
        for r in range(lines):
            part = block[k, r * width : (r + 1) * width]
            for x in range(width):
                value = np.float64(part[x])
                line[x] += value if value == value else 0.0
                there[x] += 1 if value == value else 0
            if r + 1 == lines or target[r + 1] != target[r]:
                low, high = target[r] * wide, (target[r] + 1) * wide
                _fold(line, step, out[rows[k], low:high])
                _fold(there, step, valid[rows[k], low:high])
                line[:] = 0
                there[:] = 0


@dataclass(frozen=True, eq=False)
class Rebin:
    """Sums over blocks. NaN counts as no value; a block without any gives NaN.

    A last block that is not full is summed as far as it goes. A partial is the pieces of the runs
    of frames that it was joined of, which are put together at the end, as they are large. A piece
    has the number of its first block of frames and how many arrays it is; how many frames each was
    given; the sums; for floats how many values they are of, for 64-bit integers the sums of their
    upper halves.

    Attributes:
        shape: Of a frame.
        frames: Of a block.
        steps: Pixels of a block along each axis of a frame.
        mean: The mean of a block's values instead of their sum.
        counted: Tell too how many values there were, as ``NAME_count``.
    """

    shape: Shape
    frames: int
    steps: Shape
    mean: bool = False
    counted: bool = False

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        shape = -(-frames.count // self.frames), *self._blocks
        coords: dict[str, Any] = {}
        dims: list[str] = []
        steps = (self.frames, *self.steps)
        for dim, step in zip((frames.frame_dim, *frames.dims), steps, strict=True):
            if dim == frames.frame_dim and step == 1:
                dims.append(dim)
                continue
            label, coords[label] = axis_of(name, dim, step, frames)
            dims.append(label)
        total = np.dtype("f8") if self.mean else sum_dtype(frames.dtype)
        attrs: dict[str, Any] = {} if frames.units is None else {"units": frames.units}
        if self.mean:
            attrs["long_name"] = "mean over blocks"
        if self.frames > 1 and total.kind != "f":
            attrs["missing_value"] = no_value(total)
        made = {name: Output(tuple(dims), shape, total, attrs, coords)}
        if self.counted:
            told = {"long_name": f"values in each block of {name}"}
            made[f"{name}_count"] = Output(tuple(dims), shape, np.dtype("i8"), told, coords)
        size = 8 * math.prod(shape) * (2 if len(made) == 2 or frames.dtype.kind == "f" else 1)
        if size > MOST:
            raise UsageError(
                f"{name} would be {size / 1e9:.3g} GB: {' by '.join(map(str, shape))} values",
                hint=f"larger blocks, or some of the frames: {MOST / 1e9:.0f} GB at most",
            )
        return made

    def start(self, frames: Frames, first: int, count: int) -> State:
        begin = first // self.frames
        groups = (first + count - 1) // self.frames + 1 - begin
        shape = groups, math.prod(self._blocks)
        kinds = ["i8"]
        if frames.dtype.kind == "f" or frames.dtype.itemsize == 8:
            kinds = ["f8" if frames.dtype.kind == "f" else "i8", "i8"]
        sums = [np.zeros(shape, kind) for kind in kinds]
        return np.array([begin, 2 + len(sums)]), np.zeros(groups, "i8"), *sums

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        begin, read, *sums = state
        rows = (first + np.arange(len(block))) // self.frames - begin[0]
        np.add.at(read, rows, 1)
        add = _bin if len(sums) == 1 else _bin_valid if block.dtype.kind == "f" else _bin_halves
        add(block, rows, self._target, self.steps[-1] if self.steps else 1, *sums)

    def join(self, left: State, right: State) -> State:
        many = left[0][1]
        (begin, *mine), (after, *other) = left[-many:], right[:many]
        if begin[0] + len(mine[0]) - 1 < after[0]:
            return left + right
        for sums, more in zip(mine, other, strict=True):  # a block of frames that both have
            sums[-1] += more[0]
        rest = (after + np.array([1, 0]), *(more[1:] for more in other))
        return left + (rest if len(other[0]) > 1 else ()) + right[many:]

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        many = state[0][1]
        read, total, *more = (np.concatenate(state[i::many]) for i in range(1, many))
        told = self.outputs(name, frames)
        kind = sum_dtype(frames.dtype)
        if frames.dtype.kind == "f":
            count = more[0]
            sums = np.where(count > 0, total, np.nan)
        else:
            count = read[:, None] * blocks(np.ones(self.shape, "i8"), self.steps).ravel()
            if more and self.mean:
                sums = more[0] * 2.0**32 + total
            else:
                sums = of_halves(total, more[0], kind, name) if more else total.astype(kind)
        if self.mean:
            with np.errstate(invalid="ignore", divide="ignore"):
                sums = sums / count
        elif kind.kind != "f" and self.frames > 1:
            sums[read == 0] = no_value(kind)  # none of its frames could be read
        found = {name: sums.reshape(-1, *self._blocks), f"{name}_count": count}
        if self.frames == 1:
            return {n: found[n].reshape(-1, *self._blocks) for n in told}
        made = {}
        for n, output in told.items():  # while others are read there are not all blocks
            nothing = no_value(output.dtype) if n == name else 0
            made[n] = np.full(output.shape, nothing, output.dtype)
            made[n][: len(read)] = found[n].reshape(-1, *self._blocks)
        return made

    @property
    def _blocks(self) -> Shape:
        """How many along each axis of a frame."""
        return tuple(-(-n // step) for n, step in zip(self.shape, self.steps, strict=True))

    @functools.cached_property
    def _target(self) -> Array:
        """To which line of the result each line of a frame goes."""
        lines = self.shape[:-1]
        if not lines:
            return np.zeros(1, "i8")
        axes = np.indices(lines).reshape(len(lines), -1)
        at = tuple(axis // step for axis, step in zip(axes, self.steps[:-1], strict=True))
        return np.ravel_multi_index(at, self._blocks[:-1])


def blocks(values: Array, steps: Shape) -> Array:
    """Sums of blocks of an array; the last one along an axis may not be full."""
    for axis, step in enumerate(steps):
        values = np.add.reduceat(values, np.arange(0, values.shape[axis], step), axis)
    return values


def axis_of(
    name: str, dim: str, step: int, frames: Frames
) -> tuple[str, tuple[tuple[str, ...], Array, Mapping[str, Any]]]:
    """What a dimension is called after it was binned, and its coordinate: the mean of the old."""
    values, attrs = frames.along(dim)
    label = f"{name}_{dim}"
    sizes = blocks(np.ones(len(values)), (step,))
    return label, ((label,), blocks(values, (step,)) / sizes, attrs)
