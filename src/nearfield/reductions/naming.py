"""What the axes of a stack are called in a result: one dimension counts the frames."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from h5py import h5i

from nearfield.errors import DataFileError
from nearfield.reductions.index import NotUnderstood
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.labels import Labels, labels_of, plain_dims
from nearfield.reductions.stack import Stack

Coordinate = tuple[tuple[str, ...], Array, Mapping[str, Any]]
"""Dimensions, values, attributes."""

FRAME = "frame"


@dataclass(frozen=True)
class Names:
    """How a stack's axes are called."""

    pixels: tuple[str, ...]
    """The dimensions of a frame."""
    frame: str = FRAME
    """The dimension that counts frames."""
    coordinates: Mapping[str, Coordinate] = field(default_factory=dict)
    """Along some of these dimensions; those along ``frame`` have a value for each frame."""

    def of_frames(self) -> dict[str, Coordinate]:
        return {n: c for n, c in self.coordinates.items() if c[0] == (self.frame,)}

    def set_apart(self, by: str) -> Names:
        """With the coordinate of the frames called ``frame_NAME``, as ``NAME`` counts groups."""
        dim = FRAME if self.frame == by else self.frame
        coordinates = {}
        for name, (dims, values, attrs) in self.coordinates.items():
            label = f"frame_{by}" if name == by else name
            coordinates[label] = (dim,) if dims == (self.frame,) else dims, values, attrs
        return replace(self, frame=dim, coordinates=coordinates)

    def without(self, taken: Collection[str]) -> Names:
        """With ``NAME_axis`` for a name that is one of these: of what a result has else."""
        mine = {self.frame, *self.pixels, *self.coordinates}
        new = {name: f"{name}_axis" for name in mine if name in taken}
        if not new:
            return self
        for name, label in new.items():
            while label in mine or label in taken:
                label += "_axis"  # noqa: PLW2901 - until it is free
            new[name] = label
        coordinates = {
            new.get(name, name): (tuple(new.get(dim, dim) for dim in dims), values, attrs)
            for name, (dims, values, attrs) in self.coordinates.items()
        }
        pixels = tuple(new.get(name, name) for name in self.pixels)
        return Names(pixels, new.get(self.frame, self.frame), coordinates)


def default_names(stack: Stack) -> Names:
    """Where the file says nothing."""
    return Names(plain_dims((stack.shape[0],), stack.frame_shape)[1:])


def names_of(stack: Stack) -> Names:
    """As the file's NXdata says, else ``frame``, ``y``, ``x``.

    Where several axes count frames, as in a map, they are coordinates of ``frame``.
    """
    try:
        labels = labels_of(stack)
    except (DataFileError, NotUnderstood):
        return default_names(stack)
    outer = labels.dims[: len(stack.outer)]
    pixels = labels.dims[len(stack.outer) :]
    if FRAME in pixels and len(outer) != 1:
        return default_names(stack)
    frame = outer[0] if len(outer) == 1 else FRAME
    return Names(pixels, frame, _coordinates(stack, labels, outer, pixels, frame))


def _coordinates(
    stack: Stack, labels: Labels, outer: tuple[str, ...], pixels: tuple[str, ...], frame: str
) -> dict[str, Coordinate]:
    found: dict[str, Coordinate] = {}
    for name, (dims, values, attrs) in labels.coords.items():
        if not dims:
            continue
        if set(dims) <= set(pixels):
            found[name] = dims, values, attrs
        elif dims == tuple(dim for dim in outer if dim in dims):
            sizes = [n if dim in dims else 1 for dim, n in zip(outer, stack.outer, strict=True)]
            each = np.broadcast_to(values.reshape(sizes), stack.outer).reshape(-1)
            found[name] = (frame,), each[: stack.shape[0]], attrs
    # A name of a dimension is that dimension's own coordinate, or nobody's.
    own = {frame, *pixels}
    return {name: c for name, c in found.items() if name not in own or c[0] == (name,)}


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
