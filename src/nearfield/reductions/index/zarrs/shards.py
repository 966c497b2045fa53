"""The indexes of shards: where in a file each of its chunks is.

Of the codec ``sharding_indexed``: two numbers of 64 bits for each chunk of a shard, C order, offset
and size, both 2**64 - 1 for a chunk that is not there; then a CRC-32C of these bytes. An index is
read once and kept: only files that have changed since are looked into again.
"""

from __future__ import annotations

import math
import os

import numpy as np
from numpy.typing import NDArray

from nearfield.errors import DataFileError
from nearfield.reductions.decode._crc32c import crc32c
from nearfield.reductions.index import cache
from nearfield.reductions.index.files import same_file
from nearfield.reductions.index.zarrs.chunk_files import ChunkFiles
from nearfield.reductions.index.zarrs.codecs import Sharding
from nearfield.reductions.stack import ABSENT, DAMAGED, Shape

Table = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""Offset and size."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Changed(Exception):
    """A shard is no longer what was listed."""


def indexes(files: ChunkFiles, sharding: Sharding, each: Shape) -> Table:
    """Of all shards, ``(shards, chunks of one)``; a shard that is not there has no chunk.

    Args:
        each: Chunks along each axis of a shard.

    Raises:
        Changed: a shard was written to since ``files`` were listed.
        DataFileError: one cannot be read.
    """
    count = math.prod(each)
    offset = np.full((len(files), count), ABSENT, "u8")
    size = np.zeros((len(files), count), "u8")
    entry = cache.key_of("shards", files.folder, sharding, each, files.grid)
    known = _kept(entry, files, offset, size)
    unread = np.flatnonzero((files.size != -1) & ~known)
    for number in unread.tolist():
        offset[number], size[number] = _index(files, number, sharding, count)
    if len(unread) and files.may_be_kept():
        kept = {"files": files.columns, "offset": offset, "size": size}
        cache.save_arrays(entry, kept)
    return offset, size


def _kept(
    entry: str, files: ChunkFiles, offset: NDArray[np.uint64], size: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Fills in what was read before; tells of which shards."""
    nothing = np.zeros(len(files), bool)
    if (kept := cache.load_arrays(entry)) is None:
        return nothing
    try:
        before, old, of = kept["files"], kept["offset"], kept["size"]
        if (before.shape, old.shape, of.shape) != (files.columns.shape, offset.shape, size.shape):
            return nothing
        same: NDArray[np.bool_] = (before == files.columns).all(axis=0) & (files.size >= 0)
        offset[same], size[same] = old[same], of[same]
    except (KeyError, TypeError, ValueError):
        return nothing
    return same


def _index(files: ChunkFiles, number: int, sharding: Sharding, count: int) -> Table:
    damaged = np.full(count, DAMAGED), np.zeros(count, "u8")
    length = 16 * count + 4 * sharding.checked
    total = int(files.size[number])
    if total < length:
        return damaged
    path = files.path(number)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not same_file(fd, files[number]):
                raise Changed(path)
            raw = os.pread(fd, length, total - length if sharding.at_end else 0)
        finally:
            os.close(fd)
    except FileNotFoundError:
        raise Changed(path) from None
    except OSError as error:
        raise DataFileError(path, f"it cannot be read: {error.strerror}") from error
    if len(raw) < length:
        raise Changed(path)
    data = np.frombuffer(raw, "u1")
    if sharding.checked:
        said = int.from_bytes(raw[-4:], "little")
        if said != crc32c(data, length - 4):
            return damaged
    pairs = data[: 16 * count].view(f"{sharding.order}u8").astype("u8").reshape(count, 2)
    offset, size = pairs[:, 0].copy(), pairs[:, 1].copy()
    absent = (offset == _ALL) & (size == _ALL)
    end = np.uint64(total)
    odd = ~absent & ((offset > end) | (size > end - np.minimum(offset, end)))
    offset[odd], size[odd | absent] = DAMAGED, 0
    return offset, size
