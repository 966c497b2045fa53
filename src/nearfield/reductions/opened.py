"""A stack as an xarray dataset: lazy, labelled, and with the chunks to take."""

from __future__ import annotations

import os
from typing import Any

import xarray as xr
from xarray.core import indexing

from nearfield.reductions import accessor  # noqa: F401 - registers itself
from nearfield.reductions.in_memory import FRAME_DIMS
from nearfield.reductions.index import open_stack
from nearfield.reductions.labels import labels_of
from nearfield.reductions.lazy_frames import FramesArray, preferred
from nearfield.reductions.stack import Stack


def open_variable(
    path: str | os.PathLike[str], name: str | None = None, frame_ndim: int | None = None
) -> xr.Dataset:
    """The dataset of ``xarray.open_dataset(path, engine="nearfield")``; raises as that does."""
    stack = open_stack(path, name, frame_ndim=frame_ndim)
    labels = labels_of(stack)
    lazy = FramesArray(stack, labels.dims)
    # A chunk of no frames is none; such a stack is still being written.
    chunks = dict(zip(labels.dims, (max(1, n) for n in preferred(stack)), strict=True))
    variable = xr.Variable(
        labels.dims,
        indexing.LazilyIndexedArray(lazy),
        _attributes(stack),
        encoding={
            "source": str(path),
            "dataset": stack.held[0].name if stack.held else name,
            "preferred_chunks": chunks,
            FRAME_DIMS: labels.dims[len(stack.outer) :],
        },
    )
    coords = {key: xr.Variable(*coordinate) for key, coordinate in labels.coords.items()}
    return xr.Dataset({labels.name: variable}, coords)


def _attributes(stack: Stack) -> dict[str, Any]:
    attrs = dict(stack.attributes)
    if stack.partial:
        attrs["partial"] = f"the file is still being written: its first {stack.shape[0]} frames"
    if stack.missing:
        attrs["missing_files"] = list(stack.missing)
    return attrs
