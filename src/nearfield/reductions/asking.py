"""From what a person asks for to a plan, and its result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from nearfield.errors import UsageError
from nearfield.reductions import threads
from nearfield.reductions.kernels._protocol import Frames
from nearfield.reductions.kernels.corrections import Corrections
from nearfield.reductions.kernels.grouped import Groups
from nearfield.reductions.kinds import reductions_of
from nearfield.reductions.lazy import Result, as_dataset
from nearfield.reductions.plan import Plan
from nearfield.reductions.stack import Stack

_FRAME = {1: ("x",), 2: ("y", "x"), 3: ("module", "y", "x")}
_CORRECTIONS = ("dark", "flat", "bad", "saturation", "monitor")


def reduce_stack(
    stack: Stack, *, by: Any = None, bins: Any = None, workers: int | None = None, **asked: Any
) -> xr.Dataset:
    """The result of :func:`nearfield.reduce` over a stack; raises as that does."""
    corrections = Corrections.of(
        stack.shape[0],
        stack.frame_shape,
        **{name: asked.pop(name, None) for name in _CORRECTIONS},
    )
    frames = frames_of(stack)
    if corrections is not None:
        frames = dataclasses.replace(frames, dtype=np.dtype("f8"))
    plan = Plan(
        stack, frames, reductions_of(frames, asked, groups_of(by, bins, frames)), corrections
    )
    return as_dataset(Result(plan, lambda it: threads.compute(it, workers)))


def frames_of(stack: Stack) -> Frames:
    """What the kernels are told of a stack."""
    if stack.shape[0] == 0:
        raise UsageError("the stack has no frames", hint="is its file still being written?")
    dims = _FRAME.get(
        len(stack.frame_shape), tuple(f"dim_{i}" for i in range(len(stack.frame_shape)))
    )
    return Frames(stack.shape[0], stack.frame_shape, stack.dtype, dims)


def groups_of(by: Any, bins: Any, frames: Frames) -> Groups | None:
    """Of ``by=``: an xarray coordinate, ``{name: values}`` or values, one per frame.

    Raises:
        UsageError: it is none of these, or has not one value per frame.
    """
    if by is None:
        if bins is not None:
            raise UsageError("bins= needs by=: which values are put in the bins?")
        return None
    name, attrs = "group", {}
    if isinstance(by, Mapping):
        if len(by) != 1:
            raise UsageError("by= takes one name with its values")
        [(name, by)] = by.items()
    elif isinstance(by, xr.DataArray):
        name, attrs = str(by.name or name), dict(by.attrs)
    values = np.asarray(by)
    if values.shape != (frames.count,):
        raise UsageError(f"by: {name!r} is {values.shape}, the stack has {frames.count} frames")
    if bins is None:
        return Groups.of_values(name, values, attrs)
    return Groups.of_bins(name, values, np.asarray(bins), attrs)
