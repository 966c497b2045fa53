"""Reductions that a person wrote: a row for each frame, or one state that frames are added to."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.kernels._protocol import Array, Frames, Output, State
from nearfield.reductions.kernels.user_calls import all_frames, each_frame
from nearfield.reductions.stack import Shape

_of_thread = threading.local()
_SPARE = 1 << 19
"""Bytes of copied frames, if a frame is not larger: they stay in cache."""
KINDS = "biuf"
"""Of numpy's types those that a result may have."""
MERGES: Mapping[str, np.ufunc] = {"add": np.add, "min": np.fmin, "max": np.fmax}
"""Of states; NaN is no value for the least and the greatest."""


@dataclass(frozen=True, eq=False)
class Call:
    """A person's function and what it is called with.

    Attributes:
        name: Under which it was asked for, for errors.
        function: As Numba compiled it.
        items: The values behind the frame: in a tuple the array of those of each frame.
        shape, dtype: Of the frames that it gets.
    """

    name: str
    function: Any
    items: tuple[Any, ...]
    shape: Shape
    dtype: np.dtype[np.generic]

    def of_block(self, block: Array, first: int, call: Callable[[Array, int, Array], None]) -> None:
        """Call with copies of some frames, ``(n, *frame)``, which it may change: as many as stay in
        cache. What fails is an error that says at which frame.

        Args:
            call: Takes them, the number of their first one in the block, and where it notes which
                of them it is at.
        """
        spare, done = self._spare, np.zeros(1, "i8")
        for low in range(0, len(block), len(spare)):
            some = spare[: len(block) - low]
            np.copyto(some.reshape(len(some), -1), block[low : low + len(some)], casting="unsafe")
            try:
                call(some, low, done)
            except Exception as error:
                raise UsageError(
                    f"user reduction {self.name!r} failed at frame {first + low + int(done[0])}: "
                    f"{type(error).__name__}: {error}",
                    hint=f"{self.name} called with that frame as an array is plain Python",
                ) from error

    @property
    def _spare(self) -> Array:
        """Of each thread one, that is there again for the next block."""
        found: Array | None = getattr(_of_thread, "frames", None)
        if found is None or found.shape[1:] != self.shape or found.dtype != self.dtype:
            each = math.prod(self.shape) * self.dtype.itemsize
            shape = max(1, _SPARE // max(1, each)), *self.shape
            found = _of_thread.frames = np.empty(shape, self.dtype)
        return found


@dataclass(frozen=True, eq=False)
class Shown:
    """How a result appears.

    Attributes:
        dims: Names of the dimensions behind ``frame``; ``None``: by the name of the result.
        labels: Of some of these dimensions.
    """

    dims: tuple[str, ...] | None
    labels: Mapping[str, Array]
    attrs: Mapping[str, str]

    def output(self, name: str, frames: Frames, shape: Shape, kind: Any, *, each: bool) -> Output:
        """The variable ``name`` of ``shape``.

        Args:
            each: There is one for each frame.

        Raises:
            UsageError: its dimensions do not fit the shape, or those of a frame.
        """
        if self.dims is not None:
            dims = self.dims
        elif shape == frames.shape and not each:
            dims = frames.dims
        else:
            dims = tuple(f"{name}_{n}" for n in range(len(shape)))
        if len(dims) != len(shape):
            raise UsageError(f"user reduction {name!r} gives {shape}, its dimensions are {dims}")
        there = dict(zip(frames.dims, frames.shape, strict=False))
        for dim, length in zip(dims, shape, strict=True):
            labels = self.labels.get(dim)
            if labels is not None and len(labels) != length:
                said = f"{len(labels)} labels for {dim!r}"
                raise UsageError(f"user reduction {name!r} gives {shape}, and has {said}")
            if there.get(dim, length) != length or dim in (frames.frame_dim, name):
                raise UsageError(
                    f"user reduction {name!r}: its dimension {dim!r} of {length} is another one "
                    "of the stack or the result's own name",
                    hint="give it another name with dims=",
                )
        coords: dict[str, Any] = {dim: ((dim,), each, {}) for dim, each in self.labels.items()}
        if each:
            dims, shape = (frames.frame_dim, *dims), (frames.count, *shape)
        return Output(dims, shape, kind, self.attrs, coords)


@dataclass(frozen=True, eq=False)
class PerFrame:
    """A number, some numbers or an array for each frame.

    Attributes:
        row: Shape of what the function gives; ``()`` for a number.
        dtype: Of it.
    """

    call: Call
    shown: Shown
    row: Shape
    dtype: np.dtype[np.generic]

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        return {name: self.shown.output(name, frames, self.row, self.dtype, each=True)}

    def start(self, frames: Frames, first: int, count: int) -> State:
        return (np.zeros((count, *(self.row or (1,))), self.dtype),)

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        function, items = self.call.function, self.call.items

        def call(frames: Array, low: int, done: Array) -> None:
            each_frame(function, frames, state[0], at + low, first + low, items, done)

        self.call.of_block(block, first, call)

    def join(self, left: State, right: State) -> State:
        return (np.concatenate((left[0], right[0])),)

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        return {name: state[0].reshape(-1, *self.row)}


@dataclass(frozen=True, eq=False)
class OverFrames:
    """One state that all frames are added to.

    Attributes:
        empty: The state before the first frame.
        merge: The name of one of ``MERGES``, or a function ``(left, right)`` that changes the left
            one, or gives the merged one.
        last: Made of the state at the end; ``None``: the state itself.
        scalar: The state is a number.
    """

    call: Call
    shown: Shown
    empty: Array
    merge: str | Callable[[Array, Array], Array | None]
    last: Callable[[Array], Any] | None
    scalar: bool

    def outputs(self, name: str, frames: Frames) -> Mapping[str, Output]:
        made = self._finished(self.empty.copy())
        return {name: self.shown.output(name, frames, made.shape, made.dtype, each=False)}

    def start(self, frames: Frames, first: int, count: int) -> State:
        return (self.empty.copy(),)

    def add(self, state: State, block: Array, first: int, at: int) -> None:
        function, items = self.call.function, self.call.items

        def call(frames: Array, low: int, done: Array) -> None:
            all_frames(function, frames, state[0], first + low, items, done)

        self.call.of_block(block, first, call)

    def join(self, left: State, right: State) -> State:
        if isinstance(self.merge, str):
            MERGES[self.merge](left[0], right[0], out=left[0])
            return left
        try:
            merged = self.merge(left[0], right[0])
        except Exception as error:
            name = self.call.name
            raise UsageError(f"user reduction {name!r}: merge failed: {error}") from error
        return left if merged is None else (np.asarray(merged, self.empty.dtype),)

    def finish(self, name: str, frames: Frames, state: State) -> Mapping[str, Array]:
        made, told = self._finished(state[0]), self.outputs(name, frames)[name]
        if made.shape != told.shape:
            raise UsageError(
                f"user reduction {name!r}: finish gave {made.shape}, and {told.shape} for no frames"
            )
        return {name: made.astype(told.dtype)}

    def _finished(self, state: Array) -> Array:
        found: Any = state[0] if self.scalar else state
        name = self.call.name
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(found if self.last is None else self.last(found))
        except Exception as error:
            raise UsageError(f"user reduction {name!r}: finish failed: {error}") from error
        if found.dtype.kind not in KINDS:
            raise UsageError(f"user reduction {name!r} ends as {found.dtype}, no numbers")
        # A number, so that a group without frames can be told from one.
        made: Array = found.astype("u1") if found.dtype.kind == "b" else found
        return made
