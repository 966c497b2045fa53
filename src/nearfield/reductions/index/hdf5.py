"""The chunks of one HDF5 dataset that is stored in its own file."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np

from nearfield.reductions.stack import ABSENT, FileId, Filter, Part, Shape, Stack, Stored


def file_id(path: str) -> FileId:
    """The file as it is now. Raises OSError."""
    said = Path(path).stat()
    return FileId(
        str(Path(path).absolute()),
        said.st_dev,
        said.st_ino,
        said.st_size,
        said.st_mtime_ns,
        said.st_ctime_ns,
    )


def filters_of(dataset: h5py.Dataset) -> tuple[Filter, ...]:
    plist = dataset.id.get_create_plist()
    found = (plist.get_filter(i) for i in range(plist.get_nfilters()))
    return tuple(Filter(code, tuple(options)) for code, _flags, options, _name in found)


def stored_in(dataset: h5py.Dataset, path: str) -> Stored:
    """The chunk table of a chunked or contiguous dataset, made in one pass over HDF5's index."""
    shape: Shape = dataset.shape
    chunked = dataset.chunks is not None
    chunk: Shape = dataset.chunks or (1, *shape[1:])
    rows = -(-shape[0] // chunk[0])
    grid = tuple(-(-n // c) for n, c in zip(shape[1:], chunk[1:], strict=True))
    tiles = math.prod(grid)
    offset = np.full(rows * tiles, ABSENT, "u8")
    size = np.zeros(rows * tiles, "u8")
    mask = np.zeros(rows * tiles, "u4")
    if chunked:
        strides = [math.prod(grid[i + 1 :]) for i in range(len(grid))]

        def note(info: h5py.h5d.StoreInfo) -> None:
            at = info.chunk_offset[0] // chunk[0] * tiles + sum(
                info.chunk_offset[i + 1] // chunk[i + 1] * s for i, s in enumerate(strides)
            )
            offset[at], size[at], mask[at] = info.byte_offset, info.size, info.filter_mask

        dataset.id.chunk_iter(note)
    elif (begin := dataset.id.get_offset()) is not None:
        frame = math.prod(shape[1:]) * dataset.dtype.itemsize
        offset[:] = begin + np.arange(rows, dtype="u8") * np.uint64(frame)
        size[:] = frame
    return Stored(
        dataset.dtype,
        shape,
        chunk,
        filters_of(dataset) if chunked else (),
        dataset.dtype.type(dataset.fillvalue),
        (file_id(path),),
        np.zeros((rows, tiles), "u4"),
        offset.reshape(rows, tiles),
        size.reshape(rows, tiles),
        mask.reshape(rows, tiles),
    )


def stack_of(path: str, name: str) -> Stack:
    with h5py.File(path, "r") as file:
        stored = stored_in(file[name], path)
    return Stack(
        stored.shape,
        stored.dtype.newbyteorder("="),
        stored.fill,
        (Part(0, stored.shape[0], stored, box=stored.shape[1:]),),
        stored.files,
    )
