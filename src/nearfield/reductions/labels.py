"""What the axes of a stack are called, and their values: as the NXdata around it says.

Sources: https://manual.nexusformat.org/datarules.html and the readers of the catalogue.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from h5py import h5d

from nearfield.catalogue.metadata.axes import axes_of
from nearfield.catalogue.metadata.values import text_of
from nearfield.catalogue.metadata.walk import READ_ERRORS, Group, attribute
from nearfield.errors import UsageError
from nearfield.reductions import openpmd_labels
from nearfield.reductions.index import links, openpmd
from nearfield.reductions.index.images import is_images
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.index.sources import Opened, Sources
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.packed import unpacked
from nearfield.reductions.stack import Shape, Stack

_FRAME = {0: (), 1: ("x",), 2: ("y", "x"), 3: ("module", "y", "x")}
_KINDS = "uifbSUO"

Coordinate = tuple[tuple[str, ...], Array, dict[str, object]]


@dataclass(frozen=True)
class Labels:
    """Of one dataset."""

    name: str
    """Its own, without the path."""
    dims: tuple[str, ...]
    """One per axis of the dataset: those that count frames, then those of a frame."""
    coords: dict[str, Coordinate] = field(default_factory=dict)
    """Dimensions, values and attributes (``units``, ``long_name``)."""


def plain_dims(outer: Shape, frame: Shape) -> tuple[str, ...]:
    """What axes are called where the file does not say."""
    first = ("frame",) if len(outer) == 1 else tuple(f"frame_{i}" for i in range(len(outer)))
    return first + _FRAME.get(len(frame), tuple(f"dim_{i}" for i in range(len(frame))))


def labels_of(stack: Stack) -> Labels:
    """Of a stack that ``open_stack`` gave.

    An axis of the NXdata that has one value per index is a coordinate of the axis' name. Bin
    edges, which are one more, are the coordinate ``NAME_edges`` with a dimension of its own. An
    axis that has several dimensions (a mesh) is a coordinate, and the dimensions keep plain names.

    Raises:
        DataFileError: the file cannot be opened.
    """
    if stack.asked is not None and os.path.isdir(stack.asked.path):  # noqa: PTH112
        from nearfield.reductions.zarr_labels import labels_of_zarr

        return labels_of_zarr(stack)
    plain = plain_dims(stack.outer, stack.frame_shape)
    asked = stack.asked
    name = None if asked is None else asked.name or stack.plotted
    if asked is None or name is None or is_images(asked.path):
        return Labels("data", plain)
    shape = (*stack.outer, *stack.frame_shape)
    with Sources() as sources:
        files = openpmd.files_of(asked.path)
        root = sources.open(files[0], named=True)
        name = openpmd.named(asked.path, name)
        if openpmd.is_series(name) or openpmd.is_openpmd(root):
            if openpmd.is_series(name):
                mesh = openpmd_labels.series(stack, sources, files, name, plain)
            else:
                mesh = openpmd_labels.single(sources, root, name, plain, shape)
            return Labels(mesh.name, mesh.dims, mesh.coords)
        try:
            opened, group, signal = _plot(sources, root, name)
            axes = axes_of(Group(name, group, None), signal, len(shape)) or (None,) * len(shape)
            named = [None if axis is None else axis.name for axis in axes]
            held = [n and _values(sources, opened, group, n) for n in named]
            growing = len(stack.outer) if stack.partial else 0
            found = _of_axes(signal, plain, named, held, shape, growing)
            for other, where in _listed(group, len(shape)):
                if other not in found.coords and other not in found.dims and other != signal:
                    found = _mesh(found, sources, opened, group, other, where, shape)
            return found
        except (Absent, UsageError, *READ_ERRORS):
            return Labels(name.rstrip("/").rpartition("/")[2] or "data", plain)


def _plot(sources: Sources, root: Opened, name: str) -> tuple[Opened, h5py.Group, str]:
    """The group that a dataset is in, or that was named, and the signal's name in it."""
    opened, here = links.locate(sources, root, name)
    if not isinstance(here, h5d.DatasetID):
        group = h5py.Group(here)
        return opened, group, text_of(attribute(group, "signal")) or "data"
    above, _, last = name.rstrip("/").rpartition("/")
    opened, here = links.locate(sources, root, above or "/")
    return opened, h5py.Group(here), last


def _values(
    sources: Sources, opened: Opened, group: h5py.Group, name: str
) -> tuple[Array, dict[str, object]] | None:
    try:
        _, here = links.locate(sources, opened, name, group.id)
    except Absent:
        return None
    if not isinstance(here, h5d.DatasetID) or here.dtype.kind not in _KINDS:
        return None
    dataset = h5py.Dataset(here)
    values = np.asarray(dataset.asstr()[()] if h5py.check_string_dtype(here.dtype) else dataset[()])
    packed = {key: attribute(dataset, key) for key in ("scale_factor", "add_offset", "_FillValue")}
    values = unpacked(values, {key: said for key, said in packed.items() if said is not None})
    units = text_of(attribute(dataset, "units")) or text_of(attribute(dataset, "unit"))
    said = {"units": units, "long_name": text_of(attribute(dataset, "long_name"))}
    return values, {key: text for key, text in said.items() if text}


def _of_axes(
    signal: str,
    plain: tuple[str, ...],
    named: list[str | None],
    held: list[Any],
    shape: Shape,
    growing: int,
) -> Labels:
    """With one axis, or none, for each dimension, and what the file holds of it, if anything.

    Of the first ``growing`` axes the file holds more than the frames that are there.
    """
    names: list[str | None] = [None] * len(shape)
    for number, (name, found) in enumerate(zip(named, held, strict=True)):
        label = (name or "").rpartition("/")[2]
        # The name of a mesh is none of a dimension; _mesh takes it.
        if label and label not in {signal, *names} and not (found and found[0].ndim > 1):
            names[number] = label
    dims = tuple(
        name or (f"dim_{number}" if plain[number] in names else plain[number])
        for number, name in enumerate(names)
    )
    coords: dict[str, Coordinate] = {}
    for number, (name, found, size) in enumerate(zip(names, held, shape, strict=True)):
        if not name or not found or found[0].ndim != 1:
            continue
        values, attrs = found
        if len(values) == size or (number < growing and len(values) > size):
            coords[name] = ((name,), values[:size], attrs)
        elif len(values) == size + 1:
            coords[f"{name}_edges"] = ((f"{name}_edges",), values, attrs)
    return Labels(signal, dims, coords)


def _listed(group: h5py.Group, rank: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The fields with ``NAME_indices``, and the dimensions that each spans."""
    for key in group.attrs:
        name, is_indices, _ = key.rpartition("_indices")
        where = attribute(group, key) if is_indices else None
        if where is None or np.asarray(where).dtype.kind not in "ui":
            continue
        numbers = tuple(int(n) for n in np.atleast_1d(where))
        if all(0 <= n < rank for n in numbers):
            yield name, numbers


def _mesh(
    found: Labels,
    sources: Sources,
    opened: Opened,
    group: h5py.Group,
    name: str,
    where: tuple[int, ...],
    shape: Shape,
) -> Labels:
    held = _values(sources, opened, group, name)
    if held is None or held[0].shape != tuple(shape[n] for n in where):
        return found
    dims = tuple(found.dims[n] for n in where)
    return Labels(found.name, found.dims, {**found.coords, name: (dims, *held)})
