"""Every filter, type and way of chunking that is decoded here gives what h5py gives."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from nearfield.errors import DataFileError
from nearfield.reductions.index import open_stack
from nearfield.reductions.reading import blocks

FILTERS = {
    "none": {},
    "gzip": {"compression": "gzip"},
    "gzip, shuffle": {"compression": "gzip", "shuffle": True},
    "gzip, shuffle, checksum": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "checksum": {"fletcher32": True},
    "shuffle": {"shuffle": True},
    "bitshuffle, lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bitshuffle, zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "lz4": dict(hdf5plugin.LZ4()),
    "shuffle, lz4": {"shuffle": True, **hdf5plugin.LZ4()},
    "zstd": dict(hdf5plugin.Zstd()),
    "blosc": dict(hdf5plugin.Blosc()),
    "blosc with bits, zstd": dict(hdf5plugin.Blosc(cname="zstd", shuffle=2)),
}
CHUNKS = {
    "one frame": ((7, 5, 9), (1, 5, 9)),
    "three frames": ((7, 5, 9), (3, 5, 9)),
    "tiles, ragged": ((7, 5, 9), (2, 2, 4)),
    "spectra": ((6, 11), (4, 3)),
    "modules": ((5, 3, 4, 6), (1, 2, 4, 4)),
}
TYPES = ("u1", "i1", "u2", ">u2", "i4", ">i4", "u8", "f2", "f4", ">f8")


def content(shape: tuple[int, ...], dtype: str, noise: bool) -> np.ndarray:
    rng = np.random.default_rng(len(shape) + noise)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    if noise:  # does not compress: a filter may store it as it is
        return np.frombuffer(rng.bytes(int(np.prod(shape)) * 8), "u8").reshape(shape).astype(dtype)
    return rng.integers(0, 100, shape).astype(dtype)


def read(path: Path, start: int, stop: int, axes: int = 2) -> np.ndarray:
    stack = open_stack(path, "data", frame_ndim=axes)
    parts = [block.copy() for _, block in blocks(stack, start, stop)]
    return np.concatenate(parts).reshape(stop - start, *stack.frame_shape)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("filters", FILTERS)
def test_as_h5py_reads_it(tmp_path: Path, filters: str, chunks: str) -> None:
    shape, chunk = CHUNKS[chunks]
    for dtype, noise in itertools.product(TYPES, (False, True)):
        data = content(shape, dtype, noise)
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("data", data=data, chunks=chunk, **FILTERS[filters])
        axes = len(shape) - 1
        np.testing.assert_array_equal(read(tmp_path / "a.h5", 0, shape[0], axes), data)
        some = read(tmp_path / "a.h5", 1, shape[0] - 1, axes)
        np.testing.assert_array_equal(some, data[1:-1])


@pytest.mark.parametrize("filters", sorted(set(FILTERS) - {"none", "shuffle", "bitshuffle"}))
def test_damage_names_file_and_frame(tmp_path: Path, filters: str) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset(
            "data", data=content((4, 50, 60), "u2", False), chunks=(1, 50, 60), **FILTERS[filters]
        )
        where = made.id.get_chunk_info(2)
    with path.open("r+b") as raw:
        raw.seek(where.byte_offset + 2)
        raw.write(b"\xff" * min(40, where.size - 2))
    read(path, 0, 2)
    with pytest.raises(DataFileError, match=r"a\.h5': frame 2: the chunk is damaged"):
        read(path, 0, 4)


def test_what_was_never_written_is_the_fill_value(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("data", (6, 4, 4), "i4", chunks=(1, 4, 4), fillvalue=-7)
        made[2] = 5
        file.create_dataset("late", (6, 4, 4), "i4", fillvalue=3)  # contiguous, no space yet
    found = read(tmp_path / "a.h5", 0, 6)
    assert found[:, 0, 0].tolist() == [-7, -7, 5, -7, -7, -7]
    late = open_stack(tmp_path / "a.h5", "late")
    assert {int(v) for _, block in blocks(late, 0, 6) for v in block.ravel()} == {3}
