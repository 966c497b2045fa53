"""A Zarr array as a stack: its chunks are rows of a table as those of an HDF5 dataset are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.index.files import file_id, fresh, unchanged
from nearfield.reductions.index.frame_axes import INTERPRETED, checked
from nearfield.reductions.index.pieces import count_of
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.index.stored import MAX_CHUNKS, most_bytes, order_of_frames
from nearfield.reductions.index.zarrs.by_library import described
from nearfield.reductions.index.zarrs.chunk_files import NOTHING, ChunkFiles, listed
from nearfield.reductions.index.zarrs.documents import Node
from nearfield.reductions.index.zarrs.finding import find
from nearfield.reductions.index.zarrs.layout import Layout, layout_of
from nearfield.reductions.index.zarrs.shards import Changed, indexes
from nearfield.reductions.stack import ABSENT, DAMAGED, Asked, Held, Part, Shape, Stack, Stored

_ATTEMPTS = 3
MAX_ATTRIBUTES = 64
MAX_VALUES = 16


def open_zarr(path: str, name: str | None = None, frame_ndim: int | None = None) -> Stack:
    """An array of a Zarr hierarchy, version 3 or 2, in a folder.

    Args:
        path: Absolute: of the array, or of a group above it.
        name: The array below ``path``, or a group (``finding.find``).
        frame_ndim: As of ``open_stack``.

    Raises:
        UsageError: there is no such array, or it is none of numbers.
        DataFileError: a document or a folder cannot be read, or changes meanwhile.
        BlockedError: the zarr library is needed to know its shape, and is not installed.
    """
    asked = Asked(path, name, frame_ndim)
    for _ in range(_ATTEMPTS):
        node, at = find(path, name)
        try:
            return _opened(node, at, asked)
        except Changed:
            continue
    raise DataFileError(
        path, "it changes while it is being indexed", hint="wait until it is written, try again"
    )


def _opened(node: Node, at: str, asked: Asked) -> Stack:
    try:
        layout = layout_of(node)
        shape, kind = layout.shape, layout.coded.dtype.newbyteorder("=")
        refused = None
    except NotUnderstood as why:
        layout, refused = None, f"{node.folder}: {why}"
        shape, kind = described(node.folder)
    label = at or node.folder.rpartition("/")[2]
    if not shape or kind.kind not in "uifb":
        raise UsageError(f"{asked.path!r}: {label} is no array of numbers")
    wanted = checked(shape, _wanted(node, len(shape), asked.frame_ndim), asked.path, label)
    cut = len(shape) - wanted
    outer, frame = shape[:cut], shape[cut:]
    fill: np.generic = kind.type(0)
    parts: tuple[Part, ...] = ()
    young = any(fresh(file) for file in node.files)
    if layout is not None:
        fill = layout.fill
        try:
            stored, order = _stored(node, layout, cut)
            if count_of(outer):
                parts = (_part(stored, order, count_of(outer), frame),)
            young = young or (isinstance(stored.files, ChunkFiles) and stored.files.fresh())
        except NotUnderstood as why:
            refused = f"{node.folder}: {why}"
    for file in node.files:
        if not unchanged(file_id(file.path), file):
            raise Changed(file.path)
    return Stack(
        (count_of(outer), *frame),
        kind,
        fill,
        parts,
        node.files,
        partial=young,
        attributes=_attributes(node),
        outer=outer,
        held=(Held(node.folder, f"/{at}" if at else "", count_of(outer)),),
        refused=refused,
        asked=asked,
    )


def _wanted(node: Node, rank: int, asked: int | None) -> int:
    """The axes of a frame; as of HDF5 where nobody says it, but for what NeXus' classes tell."""
    if asked is not None:
        return asked
    said = node.attributes.get("interpretation")
    given = INTERPRETED.get(said) if isinstance(said, str) else None
    return min(2, rank - 1) if given is None else min(given, rank)


def _part(stored: Stored, order: range | NDArray[np.int64], count: int, frame: Shape) -> Part:
    corner = (0,) * len(frame)
    if isinstance(order, range):
        step = order.step if len(order) > 1 else 1
        return Part(0, count, stored, order.start, step, corner, corner, frame)
    return Part(0, count, stored, 0, 1, corner, corner, frame, order)


def _stored(node: Node, layout: Layout, cut: int) -> tuple[Stored, range | NDArray[np.int64]]:
    """The table, and each frame's number in it."""
    shape, chunk = layout.shape, layout.chunk
    outer, frame = shape[:cut], shape[cut:]
    grid = tuple(-(-n // c) for n, c in zip(shape, chunk, strict=True))
    places = tuple(-(-n // c) for n, c in zip(shape, layout.file, strict=True))
    each = tuple(n // c for n, c in zip(layout.file, chunk, strict=True))
    if count_of(places) * count_of(each) > MAX_CHUNKS:
        raise NotUnderstood(f"it has {count_of(grid):,} chunks, and a table holds {MAX_CHUNKS:,}")
    files = listed(node.folder, layout.keys, places)
    numbers = np.arange(len(files), dtype="u4")
    if layout.sharding is None:
        file = numbers.reshape(-1)
        offset = np.where(files.size == NOTHING, ABSENT, np.uint64(0))
        size = np.maximum(files.size, 0).astype("u8")
        offset[(files.size < 0) & (files.size != NOTHING)] = DAMAGED
    else:
        shards = indexes(files, layout.sharding, each)
        offset, size = (_spread(column, places, each, grid) for column in shards)
        file = _spread(np.repeat(numbers[:, None], math.prod(each), 1), places, each, grid)
    kind = layout.coded.dtype
    bytes_each = math.prod(chunk) * kind.itemsize
    there = (offset != ABSENT) & (offset != DAMAGED)
    odd = size > most_bytes(bytes_each) if layout.coded.filters else size != bytes_each
    offset[odd & there], size[odd & there] = DAMAGED, 0
    rows = math.prod(grid[:cut]), math.prod(grid[cut:])
    stored = Stored(
        kind,
        (rows[0] * math.prod(chunk[:cut]), *frame),
        (math.prod(chunk[:cut]), *chunk[cut:]),
        layout.coded.filters,
        layout.fill,
        files,
        file.reshape(rows),
        offset.reshape(rows),
        size.reshape(rows),
        np.zeros(rows, "u4"),
    )
    return stored, order_of_frames(outer, chunk[:cut], grid[:cut])


def _spread(table: NDArray[np.generic], places: Shape, each: Shape, grid: Shape) -> NDArray:  # type: ignore[type-arg]
    """From chunks of each shard to chunks of the array; those beyond its edges are left out."""
    rank = len(grid)
    order = [axis for pair in zip(range(rank), range(rank, 2 * rank), strict=True) for axis in pair]
    whole = table.reshape(places + each).transpose(order)
    joined = whole.reshape([n * c for n, c in zip(places, each, strict=True)])
    return np.ascontiguousarray(joined[tuple(slice(n) for n in grid)]).reshape(-1)


def _attributes(node: Node) -> dict[str, object]:
    """Texts and numbers."""
    found: dict[str, object] = {}
    for name, value in list(node.attributes.items())[:MAX_ATTRIBUTES]:
        plain = isinstance(value, str | int | float)
        short = isinstance(value, list) and 0 < len(value) <= MAX_VALUES
        if plain or (short and all(isinstance(each, int | float) for each in value)):
            found[name] = value
    return found
