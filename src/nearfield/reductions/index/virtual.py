"""Virtual datasets: what HDF5 would put together from other datasets, as pieces of their chunks.

A mapping lays a selection of a source into a selection of the virtual dataset, element by element
in C order. Here both have to be boxes of whole runs along the axes of a frame; along the axes that
count frames any regular selection will do. What is not so is left to h5py.

As HDF5 does it (H5Pset_virtual): a source that does not exist gives the fill value; a source name
with ``%b`` counts blocks; an unlimited selection goes as far as its source. Unlike HDF5, a source
that is there and cannot be read is an error and not the fill value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from h5py import h5d, h5i, h5o

from nearfield.errors import DataFileError
from nearfield.reductions.index import links, selections
from nearfield.reductions.index.numbered_sources import look_after, spelled
from nearfield.reductions.index.overlaps import Laid, refuse_overlaps
from nearfield.reductions.index.pieces import (
    Numbers,
    Piece,
    Resolved,
    array,
    count_of,
    flat,
    laid_on,
)
from nearfield.reductions.index.places import Kind
from nearfield.reductions.index.refusing import Absent, NotUnderstood
from nearfield.reductions.index.selections import Axis
from nearfield.reductions.index.sources import Opened, Sources
from nearfield.reductions.index.spreading import aligned, spread_out, widened
from nearfield.reductions.index.stored import bare, dtype_of, fill_of, outer_of, resolve_stored
from nearfield.reductions.stack import Shape

MAX_DEPTH = 16
MAX_FRAMES = 200_000_000


@dataclass(frozen=True)
class Mapping:
    """One line of a virtual dataset's layout; ``None`` for a selection of all of an array."""

    virtual: tuple[Axis, ...]
    source: tuple[Axis, ...] | None
    file: str
    name: str


def resolve(
    sources: Sources, opened: Opened, dataset: Any, frame_ndim: int, depth: int = 0
) -> Resolved:
    """A dataset (h5py's DatasetID) of an open file, however it is stored; each only once.

    Raises:
        NotUnderstood: why it is left to h5py.
        DataFileError: a virtual dataset is a source of itself.
    """
    key = opened.path, h5o.get_info(dataset).addr, frame_ndim
    if sources.resolved.get(key, ()) is None:
        name = os.fsdecode(h5i.get_name(dataset) or b"")
        raise DataFileError(opened.path, f"the virtual dataset {name} is made of itself")
    if key not in sources.resolved:
        sources.resolved[key] = None  # it may be no part of what it is made of
        try:
            plist = dataset.get_create_plist()
            if plist.get_layout() == h5d.VIRTUAL:
                found = resolve_virtual(sources, opened, dataset, plist, frame_ndim, depth + 1)
            else:
                found = resolve_stored(dataset, plist, opened, frame_ndim)
        except BaseException:
            del sources.resolved[key]
            raise
        sources.resolved[key] = found
    made: Resolved = sources.resolved[key]
    return made


def resolve_virtual(
    sources: Sources, opened: Opened, dataset: Any, plist: Any, frame_ndim: int, depth: int
) -> Resolved:
    """A virtual dataset (h5py's DatasetID), made as ``plist`` says, and all that it is made of.

    Raises:
        NotUnderstood: it maps what is no run of frames, or its sources are kept otherwise.
    """
    if depth > MAX_DEPTH:
        raise NotUnderstood(f"virtual datasets are nested deeper than {MAX_DEPTH}")
    kind = dtype_of(dataset)
    shape: Shape = dataset.shape
    outer, frame = outer_of(shape, frame_ndim)
    if count_of(outer) > MAX_FRAMES:
        raise NotUnderstood(f"it has {count_of(outer):,} frames")
    fill = fill_of(plist, kind)
    ground = Resolved(outer, frame, kind.newbyteorder("="), fill, (), True)
    pieces: list[Piece] = []
    laid: list[Laid] = []
    path = opened.path  # others may be opened now, and this one closed
    for mapping in _mappings(sources, path, plist, shape):
        made, where = _lay(sources, path, mapping, ground, depth)
        pieces += made
        if where is not None:
            laid.append(where)
    covered = refuse_overlaps(laid, count_of(outer), frame)
    return replace(ground, pieces=tuple(pieces), gaps=not covered)


def _mappings(sources: Sources, path: str, plist: Any, shape: Shape) -> Iterator[Mapping]:
    for number in range(plist.get_virtual_count()):
        virtual = selections.selection(plist.get_virtual_vspace(number))
        source = selections.selection(plist.get_virtual_srcspace(number))
        file, name = plist.get_virtual_filename(number), plist.get_virtual_dsetname(number)
        axis = selections.endless(virtual)
        if virtual is None:
            virtual = selections.all_of(shape)
        if axis is None or selections.endless(source) is not None:
            yield Mapping(virtual, source, spelled(file), spelled(name))
            continue
        start, stride, _, block = virtual[axis]
        count = -(-max(0, shape[axis] - start) // stride)
        look_after(sources, path, file, count)
        for block_number in range(count):
            one = selections.block_of(virtual, axis, block_number)
            if start + stride * block_number + block > shape[axis]:
                raise NotUnderstood("a block of a virtual dataset is cut by its end")
            yield Mapping(one, source, spelled(file, block_number), spelled(name, block_number))


def _lay(
    sources: Sources, path: str, mapping: Mapping, ground: Resolved, depth: int
) -> tuple[list[Piece], Laid | None]:
    """What one mapping lays, and where; nothing where the source does not exist."""
    try:
        found, source = _found(sources, path, mapping)
    except Absent:
        return [], None
    except DataFileError as error:
        return _broken(sources, error.path, mapping, ground)
    shape: Shape = source.shape
    if found.writing and shape:
        if (so_far := _written(mapping, shape)) is None:
            return [], None
        mapping = so_far
    virtual, selected = _limited(mapping, ground, shape)
    laid, at, box = _region(virtual, ground.outer)
    lengths = tuple(len(selections.numbers(axis)) for axis in selected)
    spread = aligned(box, ground.outer, ground.frame, lengths, shape)
    cut = len(shape) - len(spread)
    taken, corner, _ = _region(selected, shape[:cut])
    if len(taken) != len(laid):
        raise NotUnderstood("a virtual dataset maps frames to what is no run of frames")
    inner = _spread(sources, resolve(sources, found, source, len(spread), depth), spread, len(box))
    if inner.dtype != ground.dtype:
        raise NotUnderstood(f"a virtual dataset of {ground.dtype} has a source of {inner.dtype}")
    of = widened(corner, spread, len(box), 0)
    pieces = laid_on(inner, laid, taken, at, of, box)
    if inner.gaps and inner.fill.tobytes() != ground.fill.tobytes():
        bed = bare(inner.dtype, inner.frame, inner.fill)
        under = laid_on(bed, laid, np.zeros(len(laid), np.int64), at, of, box)
        pieces = [replace(piece, under=True) for piece in under] + pieces
    return pieces, (laid, at, box)


def _spread(sources: Sources, inner: Resolved, spread: tuple[int, ...], axes: int) -> Resolved:
    """Once for each source, so that its table is one table whatever maps it."""
    key = "spread", id(inner), spread, axes
    if key not in sources.resolved:
        sources.resolved[key] = spread_out(inner, spread, axes)
    made: Resolved = sources.resolved[key]
    return made


def _found(sources: Sources, path: str, mapping: Mapping) -> tuple[Opened, Any]:
    if mapping.file == ".":
        opened = sources.open(path)
    else:
        opened = sources.open(sources.find(path, mapping.file, Kind.VIRTUAL))
    try:
        return links.dataset(sources, opened, mapping.name)
    except Absent:
        sources.missing[f"{opened.path}:{mapping.name}"] = None
        raise


def _broken(
    sources: Sources, path: str, mapping: Mapping, ground: Resolved
) -> tuple[list[Piece], Laid | None]:
    """Frames of a source that is there and cannot be read."""
    virtual, shape = mapping.virtual, ground.outer + ground.frame
    if (axis := selections.endless(virtual)) is not None:
        reach = selections.as_far_as(virtual, axis, shape[axis])
        virtual = selections.first_of(virtual, axis, reach)
    laid, at, box = _region(virtual, ground.outer)
    bad = bare(ground.dtype, box, ground.fill, sources.files[path])
    none = np.zeros(len(laid), np.int64)
    return laid_on(bad, laid, none, at, (0,) * len(box), box), (laid, at, box)


def _written(mapping: Mapping, source: Shape) -> Mapping | None:
    """What the source of a mapping has so far; ``None``: nothing yet.

    A master is often made before the files that it maps. HDF5 itself fails to read it, or gives
    zeros.
    """
    selected = mapping.source or selections.all_of(source)
    if selections.endless(selected) is not None:
        return mapping
    have, want = array(selections.numbers(selected[0])), selections.numbers(mapping.virtual[0])
    there = int(np.searchsorted(have, source[0]))
    if not there:
        return None
    if there >= len(want) or (mapping.source is not None and len(have) != len(want)):
        return mapping
    return replace(
        mapping,
        virtual=selections.first_of(mapping.virtual, 0, there),
        source=selections.first_of(selected, 0, there),
    )


def _limited(
    mapping: Mapping, ground: Resolved, source: Shape
) -> tuple[tuple[Axis, ...], tuple[Axis, ...]]:
    """Both selections, unlimited ones as far as both arrays go."""
    shape = ground.outer + ground.frame
    virtual, selected = mapping.virtual, mapping.source or selections.all_of(source)
    axis, other = selections.endless(virtual), selections.endless(selected)
    if (axis is None) != (other is None):
        raise NotUnderstood("one selection of a mapping is unlimited, the other is not")
    if len(selected) != len(source):
        raise NotUnderstood("a virtual dataset selects other axes than its source has")
    if axis is not None and other is not None:
        elements = min(
            selections.as_far_as(virtual, axis, shape[axis]),
            selections.as_far_as(selected, other, source[other]),
        )
        virtual = selections.first_of(virtual, axis, elements)
        selected = selections.first_of(selected, other, elements)
    if not selections.inside(selected, source) or not selections.inside(virtual, shape):
        raise NotUnderstood("a virtual dataset maps more than its source or itself has")
    return virtual, selected


def _region(axes: tuple[Axis, ...], outer: Shape) -> tuple[Numbers, Shape, Shape]:
    """Frames, and the corner and shape of a box in them. Raises NotUnderstood."""
    along = [selections.numbers(axis) for axis in axes]
    cut = len(outer)
    corner, box = [], []
    for run in along[cut:]:
        if not isinstance(run, range) or (run.step != 1 and len(run) > 1):
            raise NotUnderstood("a virtual dataset takes every nth row or column of a frame")
        corner.append(run.start)
        box.append(len(run))
    return flat(along[:cut], outer), tuple(corner), tuple(box)
