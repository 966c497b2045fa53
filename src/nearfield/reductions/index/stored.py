"""The chunk table of one HDF5 dataset that is stored in its own file, made in one pass.

Every place is checked against the file's size: a damaged index leads to an error that names the
frame, never to a read of 2**60 bytes.
"""

from __future__ import annotations

import math
import os
from array import array as column
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5t
from numpy.typing import NDArray

from nearfield.reductions.index.pieces import Numbers, Piece, Resolved, count_of, plain
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.index.sources import READ_ERRORS, Opened
from nearfield.reductions.stack import ABSENT, DAMAGED, FileId, Filter, Shape, Stored

MAX_CHUNKS = 20_000_000
"""Of one stack: half a GB of table."""
_USER_BLOCKS = h5py.version.hdf5_version_tuple >= (2, 0, 0)
"""Do places count from the file's start where a user block comes first? Tried with HDF5 2 alone."""
_SHUFFLE = 2
"""Of bytes within a number: where a number is a byte it does nothing."""
_BITSHUFFLE = 32008
_TRIED = 16
"""Chunks that are compared with what HDF5 reads."""
_VALUES = 100_000
"""Frames of one value in one piece that are worth a row each of a table."""
_LOOSE = 65536
"""Bytes by which a chunk that does not compress may be larger than what it holds."""


def dtype_of(dataset: Any) -> np.dtype[np.generic]:
    """Of a dataset of plain numbers or truth values. Raises NotUnderstood.

    Truth is stored as h5py does, as an enumeration of 0 and 1. Other enumerations are left to HDF5,
    which in a virtual dataset goes by their names.
    """
    kind: np.dtype[np.generic] = dataset.dtype
    if kind.kind not in "uifb" or kind.itemsize not in {1, 2, 4, 8}:
        raise NotUnderstood(f"its values are {kind}")
    if h5t.py_create(kind, logical=kind.kind == "b") != dataset.get_type():
        raise NotUnderstood("its numbers have spare bits or a layout of their own")
    return kind


def fill_of(plist: Any, kind: np.dtype[np.generic]) -> np.generic:
    """What h5py reads where nothing was written, in this machine's byte order."""
    value: NDArray[Any] = np.zeros((), kind)
    undefined = plist.fill_value_defined() == h5d.FILL_VALUE_UNDEFINED
    if not undefined and plist.get_fill_time() != h5d.FILL_TIME_NEVER:
        plist.get_fill_value(value)
    native: Any = value.astype(kind.newbyteorder("="))
    made: np.generic = native[()]
    return made


def outer_of(shape: Shape, frame_ndim: int) -> tuple[Shape, Shape]:
    """The axes that count frames, and those of a frame. Raises NotUnderstood."""
    if len(shape) < frame_ndim:
        raise NotUnderstood(f"it has {len(shape)} axes, and a frame {frame_ndim}")
    cut = len(shape) - frame_ndim
    return shape[:cut], shape[cut:]


def resolve_stored(dataset: Any, plist: Any, opened: Opened, frame_ndim: int) -> Resolved:
    """A chunked or contiguous dataset (h5py's DatasetID, made as ``plist`` says) of an open file.

    Raises:
        NotUnderstood: it is kept in another way.
    """
    kind = dtype_of(dataset)
    shape: Shape = dataset.shape
    outer, frame = outer_of(shape, frame_ndim)
    fill = fill_of(plist, kind)
    layout = plist.get_layout()
    if not _USER_BLOCKS and opened.id.get_create_plist().get_userblock():
        raise NotUnderstood("its file begins with a user block")
    if plist.get_external_count():
        raise NotUnderstood("its bytes are in other files, as external storage")
    if layout not in {h5d.CHUNKED, h5d.CONTIGUOUS}:
        raise NotUnderstood("its bytes are in the object's header (compact storage)")
    if not math.prod(shape):
        return Resolved(outer, frame, kind.newbyteorder("="), fill, (), True)
    if layout == h5d.CHUNKED:
        stored, taken = _chunked(dataset, plist, kind, fill, opened, (outer, frame))
    else:
        stored, taken = _contiguous(dataset, kind, fill, opened, (outer, frame))
    corner = (0,) * len(frame)
    piece = Piece(range(count_of(outer)), taken, stored, corner, corner, frame)
    return Resolved(outer, frame, kind.newbyteorder("="), fill, (piece,), False)


def _contiguous(
    dataset: Any,
    kind: np.dtype[np.generic],
    fill: np.generic,
    opened: Opened,
    axes: tuple[Shape, Shape],
) -> tuple[Stored, Numbers]:
    outer, frame = axes
    frames = count_of(outer)
    if not frame and frames > _VALUES:
        raise NotUnderstood("its frames are single values in one piece: HDF5 reads many at once")
    _limit(frames)
    each = math.prod(frame) * kind.itemsize
    begin = dataset.get_offset()
    if begin is None:
        offset = np.full(frames, ABSENT, "u8")
    else:
        offset = np.uint64(begin) + np.arange(frames, dtype="u8") * np.uint64(each)
    size = np.full(frames, 0 if begin is None else each, "u8")
    table = _checked(offset, size, np.zeros(frames, "u4"), each, opened)
    return _stored(kind, (1, *frame), frames, frame, (), fill, opened.said, table), range(frames)


def _chunked(
    dataset: Any,
    plist: Any,
    kind: np.dtype[np.generic],
    fill: np.generic,
    opened: Opened,
    axes: tuple[Shape, Shape],
) -> tuple[Stored, Numbers]:
    outer, frame = axes
    chunk: Shape = plist.get_chunk()
    shape = outer + frame
    grid = tuple(-(-n // c) for n, c in zip(shape, chunk, strict=True))
    total = count_of(grid)
    _limit(total)
    rank = len(grid)
    noted = column("Q")
    corner, more = noted.extend, noted.append

    def note(info: Any) -> None:
        corner(info.chunk_offset)
        more(info.byte_offset)
        more(info.size)
        more(info.filter_mask)

    dataset.chunk_iter(note)
    rows = np.frombuffer(noted, "u8").reshape(-1, rank + 3)
    at = np.zeros(len(rows), "i8")
    keep = np.ones(len(rows), bool)
    for axis, (n, c) in enumerate(zip(grid, chunk, strict=True)):
        place = rows[:, axis] // np.uint64(c)
        keep &= place < n
        at = at * n + place.astype("i8")
    offset = np.full(total, ABSENT, "u8")
    size = np.zeros(total, "u8")
    mask = np.zeros(total, "u4")
    at, rows = at[keep], rows[keep]
    offset[at], size[at], mask[at] = rows[:, rank], rows[:, rank + 1], rows[:, rank + 2]
    filters = _filters(plist)
    bytes_each = count_of(chunk) * kind.itemsize
    ragged = any(n % c for n, c in zip(shape, chunk, strict=True))
    if _senseless(filters):
        offset[at] = DAMAGED
    elif ragged and any(step.id != _SHUFFLE or kind.itemsize > 1 for step in filters):
        mask[at[_bare_edges(dataset, opened, chunk, rows, bytes_each)]] = (1 << len(filters)) - 1
    split = len(outer)
    inner = count_of(chunk[:split])
    table = _checked(offset, size, mask, bytes_each if not filters else None, opened, bytes_each)
    stored = _stored(
        kind,
        (inner, *chunk[split:]),
        count_of(grid[:split]),
        frame,
        filters,
        fill,
        opened.said,
        table,
    )
    return stored, order_of_frames(outer, chunk[:split], grid[:split])


def order_of_frames(outer: Shape, chunk: Shape, grid: Shape) -> Numbers:
    """Each frame's number in the chunks: row of chunks, place in its chunk."""
    if len(outer) <= 1:
        return range(count_of(outer))
    if all(c == 1 for c in chunk[:-1]) and outer[-1] % chunk[-1] == 0:
        return range(count_of(outer))
    each = count_of(chunk)
    total = np.zeros(outer, np.int64)
    row, place = each, 1
    for axis in reversed(range(len(outer))):
        along = np.arange(outer[axis], dtype=np.int64)
        part = along // chunk[axis] * row + along % chunk[axis] * place
        total += part.reshape((-1,) + (1,) * (len(outer) - axis - 1))
        row *= grid[axis]
        place *= chunk[axis]
    return plain(total.reshape(-1))


def _filters(plist: Any) -> tuple[Filter, ...]:
    found = (plist.get_filter(i) for i in range(plist.get_nfilters()))
    return tuple(Filter(code, tuple(options)) for code, _flags, options, _name in found)


def _senseless(filters: tuple[Filter, ...]) -> bool:
    """Do the filters' own numbers say elements of no bytes? HDF5's bitshuffle divides by them, and
    ends the whole process."""
    return any(
        (each.id == _SHUFFLE and not any(each.options[:1]))
        or (each.id == _BITSHUFFLE and not any(each.options[2:3]))
        for each in filters
    )


def _bare_edges(
    dataset: Any, opened: Opened, chunk: Shape, rows: NDArray[np.uint64], each: int
) -> NDArray[np.intp]:
    """Which of the ``rows`` of a table are partial chunks that are stored without the filters.

    HDF5 can be told so (H5Pset_chunk_opts), for all of a dataset's, and marks it nowhere that
    h5py shows. Such a chunk has the size of what it holds, and is what HDF5 reads. Raises
    NotUnderstood where that is too many chunks to compare.
    """
    shape: Shape = dataset.shape
    rank = len(shape)
    edge = np.zeros(len(rows), bool)
    for axis, (n, c) in enumerate(zip(shape, chunk, strict=True)):
        edge |= rows[:, axis] + np.uint64(c) > n
    where = np.flatnonzero(edge)
    found = rows[where]
    if not ((found[:, rank + 1] == each) & (found[:, rank + 2] == 0)).all():
        return where[:0]
    fd, kind = opened.id.get_vfd_handle(), dataset.dtype
    for row in found[:_TRIED].tolist():
        corner, offset = row[:rank], row[rank]
        here = tuple(slice(a, min(a + c, n)) for a, c, n in zip(corner, chunk, shape, strict=True))
        raw = os.pread(fd, each, offset)
        if len(raw) < each:
            return where[:0]  # damage, which its reading will tell
        plain = np.frombuffer(raw, kind).reshape(chunk)
        try:
            read = h5py.Dataset(dataset)[here]
        except READ_ERRORS:
            return where[:0]  # a filter failed, so there is one
        if plain[tuple(slice(n) for n in read.shape)].tobytes() != read.tobytes():
            return where[:0]
    if len(where) > _TRIED:
        raise NotUnderstood("chunks at its edges may be stored without its filters")
    return where


def _checked(
    offset: NDArray[np.uint64],
    size: NDArray[np.uint64],
    mask: NDArray[np.uint32],
    exact: int | None,
    opened: Opened,
    most: int = 0,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint32]]:
    # A growing file has grown since it was opened.
    end = np.uint64(os.fstat(opened.id.get_vfd_handle()).st_size)
    there = offset != ABSENT
    odd = size != exact if exact is not None else size > most_bytes(most)
    odd |= (offset > end) | (size > end - np.minimum(offset, end)) | (size == 0)
    odd &= there
    offset[odd], size[odd] = DAMAGED, 0
    return offset, size, mask


def _stored(
    kind: np.dtype[np.generic],
    chunk: Shape,
    rows: int,
    frame: Shape,
    filters: tuple[Filter, ...],
    fill: np.generic,
    said: FileId,
    table: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint32]],
) -> Stored:
    offset, size, mask = table
    grid = rows, offset.size // rows
    return Stored(
        kind,
        (rows * chunk[0], *frame),
        chunk,
        filters,
        fill,
        (said,),
        np.zeros(grid, "u4"),
        offset.reshape(grid),
        size.reshape(grid),
        mask.reshape(grid),
    )


def most_bytes(decoded: int) -> int:
    """That a chunk may have as it is stored; more is damage."""
    return 2 * decoded + _LOOSE


def _limit(chunks: int) -> None:
    if chunks > MAX_CHUNKS:
        raise NotUnderstood(f"it has {chunks:,} chunks, and a table holds {MAX_CHUNKS:,}")


def bare(
    kind: np.dtype[np.generic], frame: Shape, fill: np.generic, damaged: FileId | None = None
) -> Resolved:
    """One frame without bytes: the fill value, or of a file that is there and cannot be read."""
    offset = np.full((1, 1), ABSENT if damaged is None else DAMAGED, "u8")
    files = () if damaged is None else (damaged,)
    none, unmasked = np.zeros((1, 1), "u8"), np.zeros((1, 1), "u4")
    stored = Stored(
        kind, (1, *frame), (1, *frame), (), fill, files, unmasked, offset, none, unmasked
    )
    corner = (0,) * len(frame)
    piece = Piece(range(1), range(1), stored, corner, corner, frame)
    return Resolved((), frame, kind.newbyteorder("="), fill, (piece,), False)
