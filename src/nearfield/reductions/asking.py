"""``nearfield.reduce``: from what a person asks for to a plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import xarray as xr

from nearfield.errors import UsageError
from nearfield.reductions import regions_asked, threads
from nearfield.reductions.index.hdf5 import stack_of
from nearfield.reductions.kernels._protocol import Frames, Reduction
from nearfield.reductions.kernels.extrema import Extremum
from nearfield.reductions.kernels.histogram import Histogram
from nearfield.reductions.kernels.moments import Kind, Moments
from nearfield.reductions.kernels.regions import Regions
from nearfield.reductions.kernels.sums import Mean, Sum
from nearfield.reductions.kernels.weighted import Weighted
from nearfield.reductions.lazy import Result, as_dataset
from nearfield.reductions.plan import Plan
from nearfield.reductions.stack import Stack

_FRAME = {1: ("x",), 2: ("y", "x"), 3: ("module", "y", "x")}


def reduce_path(path: str | os.PathLike[str], name: str, **asked: Any) -> xr.Dataset:
    """A reduction of the array ``name`` of a file. Raises as :func:`nearfield.reduce`."""
    stack = stack_of(os.fspath(path), name)
    frames = frames_of(stack)
    plan = Plan(stack, frames, reductions_of(frames, asked))
    return as_dataset(Result(plan, threads.compute))


def frames_of(stack: Stack) -> Frames:
    """What the kernels are told of a stack."""
    dims = _FRAME.get(
        len(stack.frame_shape), tuple(f"dim_{i}" for i in range(len(stack.frame_shape)))
    )
    return Frames(stack.shape[0], stack.frame_shape, stack.dtype, dims)


def reductions_of(frames: Frames, asked: Mapping[str, Any]) -> dict[str, Reduction]:
    """The reductions by the keyword under which they were asked for.

    Raises:
        UsageError: nothing was asked for, or something that does not fit.
    """
    found: dict[str, Reduction] = {}
    for name, value in asked.items():
        if value is None or value is False:
            continue
        found[name] = _reduction(name, value, frames)
    if not found:
        raise UsageError("nothing to reduce to", hint="e.g. sum=True, roi=(slice(200, 300), …)")
    return found


def _reduction(name: str, value: Any, frames: Frames) -> Reduction:
    if name == "sum":
        return Sum()
    if name == "roi":
        boxes, alone = regions_asked.boxes(value, frames.dims, frames.shape)
        return Regions.of_masks(boxes, frames.shape, None if alone else "region")
    if name == "masks":
        masks = regions_asked.masks(value, frames.shape)
        if all(np.isin(mask, (0, 1)).all() for mask in masks.values()):
            return Regions.of_masks(masks, frames.shape, "mask")
        return Weighted.of_masks(masks, frames.shape)
    if name == "mean":
        return Mean()
    if name in ("var", "std"):
        return Moments(cast("Kind", name), ddof=0 if value is True else int(value["ddof"]))
    if name in ("min", "max"):
        return Extremum(greatest=name == "max")
    if name == "histogram":
        return Histogram(np.asarray(value))
    raise UsageError(f"no reduction is called {name!r}")
