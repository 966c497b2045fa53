"""What a reader holds, and what it does for each block, whatever the stack's chunks and parts."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from nearfield.reductions import reading
from nearfield.reductions.chunks import Chunks
from nearfield.reductions.index import open_stack
from nearfield.reductions.kernels.regions import Regions
from nearfield.reductions.reading import blocks
from nearfield.reductions.stack import Stack

SHAPE = (100, 512, 512)
MB = 1 << 20


@pytest.fixture
def deep(tmp_path: Path) -> Stack:
    """50 MB in tiles of all frames: no frame is whole before all of them are decoded."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset(
            "data", SHAPE, "u2", chunks=(100, 64, 64), **hdf5plugin.Bitshuffle(cname="lz4")
        )
        for frame in (0, 57, 99):
            made[frame] = np.arange(512 * 512, dtype="u4").reshape(512, 512) % 60000 + frame
    return open_stack(tmp_path / "a.h5", "data")


def test_tiles_of_very_many_frames(deep: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HELD", 1)  # then it is 8 MB
    list(blocks(deep, 0, 1))  # what is compiled and imported is not counted
    tracemalloc.start()
    first = np.array([block[:, 5].tolist() for _, block in blocks(deep, 0, 100)]).ravel()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.flatnonzero(first).tolist() == [0, 57, 99]
    assert peak < 20 * MB


def test_where_memory_is_enough_each_chunk_is_decoded_once(
    deep: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_held", lambda: 200 * MB)
    read, decoded = Chunks.read, [0]

    def counted(self: Chunks, rows: np.ndarray, *more: object, **how: object) -> object:
        decoded[0] += len(rows)
        return read(self, rows, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Chunks, "read", counted)
    list(blocks(deep, 0, 100))
    assert decoded == [64]


def test_a_block_asks_only_its_own_parts(tmp_path: Path) -> None:
    """3,000 parts of a frame each, as runs in no order make them: each is taken once."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.arange(3000, dtype="u4").repeat(4).reshape(3000, 2, 2)
    stack = open_stack(tmp_path / "a.h5", "data")
    [part] = stack.parts
    taken = [0]

    class Counted(type(part)):  # type: ignore[misc]
        def taken(self, start: int, stop: int) -> np.ndarray:
            taken[0] += 1
            found: np.ndarray = super().taken(start, stop)
            return found

    order = np.random.default_rng(0).permutation(3000)
    parts = tuple(
        Counted(i, 1, part.stored, 0, 1, part.at, part.of, part.box, np.array([n]))
        for i, n in enumerate(order.tolist())
    )
    mixed = replace(stack, parts=parts)
    found = [
        block[:, 0].tolist()
        for at in range(0, 3000, 100)
        for _, block in blocks(mixed, at, at + 100)
    ]
    assert np.concatenate(found).tolist() == order.tolist()
    assert taken == [3000]


def test_a_mask_of_a_large_frame_takes_a_few_bytes_for_each_pixel() -> None:
    """Beside the mask: a pixel of a list of edges, and its difference, of one byte each."""
    mask = np.zeros((2000, 2000), bool)
    mask[5:100] = True
    tracemalloc.start()
    made = Regions.of_masks({"a": mask}, mask.shape)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made.runs[0, 0] == 5 * 2000
    assert np.diff(made.runs).sum() == mask.sum()
    assert peak < 4 * mask.size


@pytest.mark.parametrize(("held", "windows"), [(8, 7), (13, 4), (25, 2), (60, 1)])
def test_chunks_are_decoded_no_more_often_than_memory_makes_it(
    deep: Stack, monkeypatch: pytest.MonkeyPatch, held: int, windows: int
) -> None:
    """Two rows of chunks of 100 frames, of 0.5 MB each: a window never lies on both."""
    monkeypatch.setattr(reading, "_held", lambda: held * MB)
    read, decoded = Chunks.read, [0]

    def counted(self: Chunks, rows: np.ndarray, *more: object, **how: object) -> object:
        decoded[0] += len(rows)
        return read(self, rows, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Chunks, "read", counted)
    [part] = deep.parts
    stored = part.stored
    columns = {n: np.repeat(getattr(stored, n), 2, 0) for n in ("file", "offset", "size", "mask")}
    longer = replace(stored, shape=(200, 512, 512), **columns)
    twice = replace(deep, shape=(200, 512, 512), parts=(replace(part, count=200, stored=longer),))
    list(blocks(twice, 0, 200))
    assert decoded == [2 * 64 * windows]
