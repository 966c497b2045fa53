"""What a reduction is: a partial result that takes in blocks of frames, and can be joined.

A reduction never sees a whole stack. Each task (a run of frames) makes a partial of its own with
``start``, gives it one block after the other while the block is in the processor's cache, and the
partials are joined in the order of the frames. So the result does not depend on who worked on
which task, nor on when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nearfield.reductions.stack import Shape

Array = NDArray[Any]
State = tuple[Array, ...]
"""Of a partial: arrays alone, so that it travels between processes as it is."""


def no_value(dtype: np.dtype[np.generic]) -> int | float:
    """What stands for no value: NaN; of integers the end of their range, which no sum of a region
    is likely to be, and which the attribute ``missing_value`` of a result tells."""
    if dtype.kind not in "ui":
        return float("nan") if dtype.kind in "fc" else 0
    limits = np.iinfo(dtype.str)
    return int(limits.max if dtype.kind == "u" else limits.min)


@dataclass(frozen=True)
class Frames:
    """What a reduction is told of the stack: the frames that it will be given.

    ``dtype`` is that of the blocks: the stack's own (``plan.block_dtype``) where nothing corrects
    them, else ``float64`` with NaN for a pixel without a value.
    """

    count: int
    shape: Shape
    """Of one frame."""
    dtype: np.dtype[np.generic]
    dims: tuple[str, ...] = ()
    """Names of the frame's dimensions, e.g. ``("y", "x")``."""
    frame_dim: str = "frame"
    coordinates: Mapping[str, Array] = field(default_factory=dict)
    """Per frame: energy, delay, ...."""
    units: str | None = None
    axes: Mapping[str, tuple[Array, Mapping[str, Any]]] = field(default_factory=dict)
    """Of each dimension that has one its own coordinate, of numbers, and its attributes."""

    def along(self, dim: str) -> tuple[Array, Mapping[str, Any]]:
        """Where each frame or pixel is: by the coordinate, else by its number."""
        if dim in self.axes:
            return self.axes[dim]
        length = self.count if dim == self.frame_dim else self.shape[self.dims.index(dim)]
        return np.arange(float(length)), {"units": "pixels"} if dim in self.dims else {}

    @property
    def pixels(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Output:
    """One array of a result: how it appears as an xarray variable."""

    dims: tuple[str, ...]
    shape: Shape
    dtype: np.dtype[np.generic]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    coords: Mapping[str, tuple[tuple[str, ...], Array, Mapping[str, Any]]] = field(
        default_factory=dict
    )
    """Name: dimensions, values, attributes."""


@runtime_checkable
class Reduction(Protocol):
    """One thing to know about a stack. Implementations are frozen and can be pickled."""

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        """The arrays of the result; ``name`` is the keyword under which it was asked for.

        Raises:
            UsageError: it does not fit these frames (a region outside, a mask of another shape).
        """
        ...

    def start(self, frames: Frames, first: int, count: int) -> State:
        """A partial for the frames from ``first`` on, ``count`` of them, with nothing in it yet."""
        ...

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        """Take in a block.

        Args:
            block: ``(n, pixels)``, contiguous; not to be kept nor changed.
            first: Its first frame, counted in the stack.
            at: Its first frame, counted in the task.
        """
        ...

    def join(self, left: State, right: State) -> State:
        """The partial of the frames of ``left`` and, right after them, of ``right``.

        May change and give back ``left``.
        """
        ...

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        """The arrays that ``outputs`` told."""
        ...
