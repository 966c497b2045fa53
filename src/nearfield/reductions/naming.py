"""What NeXus calls the axes of a stack: names of dimensions, coordinates and units.

https://manual.nexusformat.org/datarules.html: the NXdata group that a signal is in names a field
for each axis, and further fields that go with one by ``NAME_indices``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5i

from nearfield.catalogue.metadata.axes import axes_of
from nearfield.catalogue.metadata.values import text_of
from nearfield.catalogue.metadata.walk import READ_ERRORS, Group, attribute, members
from nearfield.errors import DataFileError
from nearfield.reductions.index import links
from nearfield.reductions.index.refusing import Absent, NotUnderstood
from nearfield.reductions.index.signal import default_name
from nearfield.reductions.index.sources import Sources
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Stack

Coordinate = tuple[tuple[str, ...], Array, Mapping[str, Any]]
"""Dimensions, values, attributes."""

FRAME = "frame"
MAX_FIELDS = 1000
_PIXELS = {1: ("x",), 2: ("y", "x"), 3: ("module", "y", "x")}
_KEPT = ("units", "long_name")


@dataclass(frozen=True)
class Names:
    """How a stack's axes are called."""

    pixels: tuple[str, ...]
    """The dimensions of a frame."""
    frame: str = FRAME
    """The dimension that counts frames."""
    coordinates: Mapping[str, Coordinate] = field(default_factory=dict)
    """Along one of these dimensions; those along ``frame`` have a value for each frame."""
    too_short: Mapping[str, int] = field(default_factory=dict)
    """Coordinates of frames that have fewer values than there are frames, and how many."""

    def of_frames(self) -> dict[str, Coordinate]:
        return {n: c for n, c in self.coordinates.items() if c[0] == (self.frame,)}


def default_names(stack: Stack) -> Names:
    """Where the file says nothing."""
    rank = len(stack.frame_shape)
    return Names(_PIXELS.get(rank, tuple(f"dim_{i}" for i in range(rank))))


def names_of(stack: Stack) -> Names:
    """As the file says, else ``frame``, ``y``, ``x``.

    An axis whose name is taken already, and one whose field cannot be read, is as if it had none.
    A scan's axes, of which several count frames, become coordinates of ``frame``.
    """
    if stack.asked is None:
        return default_names(stack)
    try:
        with Sources() as sources:
            root = sources.open(stack.asked.path, named=True)
            name = stack.asked.name or default_name(h5py.File(root.id), root.path)
            _, here = links.locate(sources, root, name)
            if isinstance(here, h5d.DatasetID):
                folder, _, signal = name.rstrip("/").rpartition("/")
                _, above = links.locate(sources, root, folder or "/")
            else:
                above, folder = here, name
                signal = text_of(attribute(h5py.Group(here), "signal")) or "data"
            return _names(stack, h5py.Group(above), folder, signal)
    except (Absent, NotUnderstood, DataFileError, *READ_ERRORS):
        return default_names(stack)


def _names(stack: Stack, plot: Any, path: str, signal: str) -> Names:
    outer, rank = len(stack.outer), len(stack.outer) + len(stack.frame_shape)
    told = axes_of(Group(f"/{path.strip('/')}", plot, "NXdata"), signal, rank)
    names = [None if axis is None else axis.name for axis in told] or [None] * rank
    usual = default_names(stack)
    frame = names[0] if outer == 1 and names[0] else FRAME
    pixels: list[str] = []
    for axis, other in zip(names[outer:], usual.pixels, strict=True):
        pixels.append(other if axis is None or axis in (frame, *pixels) else axis)
    if len({frame, *pixels}) <= len(pixels):
        return usual
    coordinates: dict[str, Coordinate] = {}
    short: dict[str, int] = {}
    for name, first, values, attrs in _fields(plot, names, signal):
        if first >= outer:
            if values.shape == (stack.frame_shape[first - outer],):
                coordinates[name] = ((pixels[first - outer],), values, attrs)
        elif outer == 1 and values.ndim == 1 and len(values) < stack.outer[0]:
            short[name] = len(values)
        elif (each := _of_frames(stack, first, values)) is not None:
            coordinates[name] = ((frame,), each, attrs)
    # A name of a dimension is that dimension's own coordinate, or nobody's.
    dims = {frame, *pixels}
    kept = {n: c for n, c in coordinates.items() if n not in dims or c[0] == (n,)}
    return Names(tuple(pixels), frame, kept, short)


def _of_frames(stack: Stack, first: int, values: Array) -> Array | None:
    """Spread over the frames: values along some of the axes that count them, from ``first`` on."""
    if len(stack.outer) == 1 and values.ndim == 1:
        # Of a file that is being written, those beyond are of frames that are not there yet.
        return values[: stack.shape[0]]
    if values.shape != stack.outer[first : first + values.ndim]:
        return None
    spread = values.reshape(values.shape + (1,) * (len(stack.outer) - first - values.ndim))
    return np.broadcast_to(spread, stack.outer).reshape(-1)[: stack.shape[0]]


def _fields(
    plot: Any, names: list[str | None], signal: str
) -> Iterator[tuple[str, int, Array, dict[str, Any]]]:
    """Name, first axis, values and attributes of the fields that go with axes."""
    axes = {name: number for number, name in reversed(list(enumerate(names))) if name is not None}
    wanted: dict[str, int] = {}
    for name in [*axes, *members(plot)[:MAX_FIELDS]]:
        said = attribute(plot, f"{name}_indices")
        numbers = np.atleast_1d(said) if said is not None else np.array([axes.get(name, -1)])
        if name == signal or numbers.dtype.kind not in "ui" or not numbers.size:
            continue
        if numbers[0] >= 0 and (np.diff(numbers.astype("i8")) == 1).all():
            wanted.setdefault(name, int(numbers[0]))
    for name, first in wanted.items():
        try:
            found = plot[name]
            if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "uifbSO":
                continue
            if not found.shape or math.prod(found.shape) == 0:
                continue
            values = found.asstr()[()] if found.dtype.kind in "SO" else found[()]
        except READ_ERRORS:
            continue
        attrs = {key: text_of(attribute(found, key)) for key in _KEPT}
        yield name, first, np.asarray(values), {k: v for k, v in attrs.items() if v}


def dataset_path(stack: Stack) -> str:
    """The dataset in its root file, as far as it is known."""
    if stack.asked is not None and stack.asked.name:
        return f"/{stack.asked.name.strip('/')}"
    return stack.held[0].name if stack.held else ""


def opened_as(dataset: Any) -> tuple[str, str]:
    """File and name of an open ``h5py.Dataset``; what is not written yet is written first."""
    file = dataset.file
    if file.mode != "r":
        file.flush()
    name = os.fsdecode(h5i.get_name(dataset.id) or b"")
    return os.fsdecode(file.filename), name
