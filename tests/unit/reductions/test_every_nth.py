"""Every nth frame: only the chunks that hold one are read, whatever the stack is made of."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import DataFileError
from nearfield.reductions.chunks import Chunks
from nearfield.reductions.index import open_stack
from nearfield.reductions.reading import blocks

DATA = np.random.default_rng(6).integers(0, 60000, (60, 6, 8)).astype("u2")
WAYS = {
    "contiguous": {},
    "a frame a chunk": {"chunks": (1, 6, 8), "compression": "gzip"},
    "four frames a chunk": {"chunks": (4, 6, 8), "compression": "gzip"},
    "tiles of four frames": {"chunks": (4, 4, 3), "compression": "gzip"},
    "by h5py": {"chunks": (4, 6, 8), "compression": "lzf"},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, how in WAYS.items():
            file.create_dataset(name, data=DATA, **how)
        layout = h5py.VirtualLayout((60, 6, 8), "u2")
        for first, name in (
            (40, "contiguous"),
            (0, "a frame a chunk"),
            (20, "tiles of four frames"),
        ):
            layout[first : first + 15] = h5py.VirtualSource(file[name])[first : first + 15]
        file.create_virtual_dataset("virtual", layout, fillvalue=7)
    return tmp_path / "a.h5"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Chunks, one number for each call."""
    found: list[int] = []
    read = Chunks.read

    def counted(self: Chunks, rows: np.ndarray, *more: object, **how: object) -> object:
        found.append(len(rows))
        return read(self, rows, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Chunks, "read", counted)
    return found


@pytest.mark.parametrize("way", [*WAYS, "virtual"])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 7, 16, 59, 100])
def test_these_frames_and_no_others(path: Path, way: str, step: int) -> None:
    stack = open_stack(path, way)
    with h5py.File(path) as file:
        right = file[way][()].reshape(60, -1)
    for start, stop in ((0, 60), (3, 58), (17, 18), (14, 41)):
        frames, found = [], []
        for first, block in blocks(stack, start, stop, step=step):
            frames += [first + step * n for n in range(len(block))]
            found.append(block.copy())
        assert frames == list(range(start, stop, step))
        np.testing.assert_array_equal(np.concatenate(found), right[start:stop:step])


@pytest.mark.parametrize(
    ("way", "step", "chunks"),
    [
        ("contiguous", 10, 6),
        ("a frame a chunk", 2, 30),
        ("a frame a chunk", 59, 2),
        ("four frames a chunk", 4, 15),
        ("four frames a chunk", 5, 12),
        ("four frames a chunk", 20, 3),
        ("tiles of four frames", 20, 3 * 6),
    ],
)
def test_chunks_between_are_not_read(
    path: Path, decoded: list[int], way: str, step: int, chunks: int
) -> None:
    found = nearfield.reduce(path, array=way, sum=True, frames=slice(None, None, step)).load()
    np.testing.assert_array_equal(found["sum"], DATA[::step].sum(0, dtype="u8"))
    assert sum(decoded) == chunks


def damaged(path: Path, frames: tuple[int, ...]) -> None:
    with h5py.File(path) as file:
        where = [file["a frame a chunk"].id.get_chunk_info_by_coord((n, 0, 0)) for n in frames]
    with path.open("r+b") as raw:
        for one in where:
            raw.seek(one.byte_offset)
            raw.write(b"\xff" * 8)


def test_a_damaged_frame_is_named_by_its_own_number(path: Path) -> None:
    damaged(path, (33,))
    every = {"array": "a frame a chunk", "sum": True}
    with pytest.raises(DataFileError, match="frame 33: the chunk is damaged"):
        nearfield.reduce(path, frames=slice(3, None, 10), **every).load()
    # One that is not asked for does not matter.
    found = nearfield.reduce(path, frames=slice(0, None, 10), **every).load()
    np.testing.assert_array_equal(found["sum"], DATA[::10].sum(0, dtype="u8"))


def test_damaged_frames_are_left_out(path: Path) -> None:
    damaged(path, (23, 33, 34, 53))
    with pytest.warns(UserWarning, match="3 of 6 frames"):
        found = nearfield.reduce(
            path, array="a frame a chunk", sum=True, frames=slice(3, None, 10), errors="collect"
        ).load()
    assert np.flatnonzero(found["unreadable"]).tolist() == [2, 3, 5]
    np.testing.assert_array_equal(found["sum"], DATA[[3, 13, 43]].sum(0, dtype="u8"))
