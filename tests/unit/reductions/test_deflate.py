"""Deflate, by libdeflate: streams that are not what a chunk should be, and where it is missing."""

from __future__ import annotations

import resource
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.errors import DataFileError
from nearfield.reductions.decode import pipeline
from nearfield.reductions.index import open_stack
from nearfield.reductions.reading import blocks

DATA = np.arange(5 * 8 * 9, dtype="u2").reshape(5, 8, 9) % 700
CHUNK = DATA[2].tobytes()


def written(folder: Path, chunk: bytes | None = None) -> Path:
    """Five frames; the third one's chunk is ``chunk``."""
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("data", data=DATA, chunks=(1, 8, 9), compression="gzip")
        if chunk is not None:
            made.id.write_direct_chunk((2, 0, 0), chunk)
    return path


def read(path: Path) -> np.ndarray:
    stack = open_stack(path, "data")
    return np.concatenate([b.copy() for _, b in blocks(stack, 0, 5)]).reshape(DATA.shape)


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(zlib.compress(CHUNK[:-1]), id="too few bytes come out"),
        pytest.param(zlib.compress(CHUNK + b"\0"), id="too many bytes come out"),
        pytest.param(zlib.compress(CHUNK)[:-8], id="it ends too early"),
        pytest.param(zlib.compress(CHUNK)[:-1] + b"\xff", id="its checksum is wrong"),
        pytest.param(zlib.compress(CHUNK)[2:], id="no header"),
        pytest.param(b"\x78", id="one byte"),
    ],
)
def test_a_stream_that_is_not_the_chunk(tmp_path: Path, chunk: bytes) -> None:
    with pytest.raises(DataFileError, match=r"a\.h5': frame 2: the chunk is damaged"):
        read(written(tmp_path, chunk))


@pytest.mark.parametrize("level", [0, 1, 9])
def test_however_it_was_compressed(tmp_path: Path, level: int) -> None:
    np.testing.assert_array_equal(read(written(tmp_path, zlib.compress(CHUNK, level))), DATA)


def test_bytes_behind_the_stream_count_no_more_than_for_hdf5(tmp_path: Path) -> None:
    path = written(tmp_path, zlib.compress(CHUNK) + b"more")
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["data"][()], DATA)
    np.testing.assert_array_equal(read(path), DATA)


def test_without_libdeflate_hdf5_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = pipeline.address
    monkeypatch.setattr(pipeline, "address", lambda n, f: 0 if n == "deflate" else here(n, f))
    path = written(tmp_path)
    with pytest.raises(pipeline.NotUnderstood, match="filter 1"):
        pipeline.Decoder(open_stack(path, "data").parts[0].stored)
    np.testing.assert_array_equal(read(path), DATA)


def test_memory_of_the_decoder_is_given_back(tmp_path: Path) -> None:
    """Each call takes 10 kB and more: 20,000 calls would be hundreds of MB."""
    path = written(tmp_path)
    stored = open_stack(path, "data").parts[0].stored
    decoder = pipeline.Decoder(stored)
    buffers, out = decoder.buffers(), np.empty((1, stored.chunk_bytes), "u1")
    row = [column[:1, 0] for column in (stored.offset, stored.size, stored.mask)]
    with path.open("rb") as file:
        fds = np.array([file.fileno()])

        def again(times: int) -> None:
            for _ in range(times):
                assert decoder.read(fds, *row, buffers, out) == (1, 0)

        again(100)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        again(20_000)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
