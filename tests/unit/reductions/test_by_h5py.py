"""What is not understood is read by h5py: the same frames."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.errors import DataFileError
from nearfield.reductions import chunks
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.decode.pipeline import NotUnderstood
from nearfield.reductions.index import open_stack
from nearfield.reductions.reading import blocks
from nearfield.reductions.selecting import frames_between, region
from nearfield.reductions.stack import Stack
from nearfield.reductions.unreadable import Noted

DATA = np.random.default_rng(3).integers(0, 9, (23, 30, 40)).astype("u2")
WAYS = {
    "lzf": {"compression": "lzf", "chunks": (1, 30, 40)},
    "scale-offset": {"scaleoffset": 4, "chunks": (5, 8, 9)},
    "lzf, big-endian": {"compression": "lzf", "chunks": (4, 30, 40), "dtype": ">u2"},
}


def frames(stack: Stack, start: int, stop: int, noted: Noted | None = None) -> np.ndarray:
    found = [block.copy() for _, block in blocks(stack, start, stop, noted)]
    return np.concatenate(found).reshape(-1, *stack.frame_shape)


@pytest.mark.parametrize("way", WAYS)
def test_filters_that_only_hdf5_knows(tmp_path: Path, way: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, **WAYS[way])
    stack = open_stack(tmp_path / "a.h5", "data")
    with pytest.raises(NotUnderstood):
        chunks.Decoder(stack.parts[0].stored)
    np.testing.assert_array_equal(frames(stack, 0, 23), DATA)
    np.testing.assert_array_equal(frames(stack, 3, 11), DATA[3:11])
    some = region(frames_between(stack, 4, 20), (3, 5), (20, 7))
    np.testing.assert_array_equal(frames(some, 2, 9), DATA[6:13, 3:23, 5:12])


@pytest.mark.parametrize(
    "order",
    [("fletcher32", "deflate"), ("deflate", "shuffle"), ("shuffle", "fletcher32", "deflate")],
)
def test_filters_in_an_order_of_their_own(tmp_path: Path, order: tuple[str, ...]) -> None:
    """A checksum before the compression; bytes shuffled after it."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 30, 40))
        for each in order:
            getattr(plist, f"set_{each}")(*([4] if each == "deflate" else []))
        space = h5py.h5s.create_simple(DATA.shape)
        made = h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT16, space, plist)
        h5py.Dataset(made)[:] = DATA
    stack = open_stack(tmp_path / "a.h5", "data")
    with pytest.raises(NotUnderstood, match="order of their own"):
        chunks.Decoder(stack.parts[0].stored)
    np.testing.assert_array_equal(frames(stack, 0, 23), DATA)


def test_a_stack_that_the_index_refuses(tmp_path: Path) -> None:
    """Every second row of a frame; a scan of two axes."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = DATA[:20].reshape(4, 5, 30, 40)
        layout = h5py.VirtualLayout((4, 5, 15, 40), "u2")
        layout[:] = h5py.VirtualSource(file["data"])[:, :, ::2]
        file.create_virtual_dataset("rows", layout)
    stack = open_stack(tmp_path / "a.h5", "rows")
    assert stack.refused
    np.testing.assert_array_equal(frames(stack, 0, 20), DATA[:20, ::2])
    np.testing.assert_array_equal(frames(stack, 3, 17), DATA[3:17, ::2])
    found = reduce_stack(stack, sum=True, max=True, workers=2)
    np.testing.assert_array_equal(found["sum"], DATA[:20, ::2].sum(0, "u8"))
    np.testing.assert_array_equal(found["max"], DATA[:20, ::2].max(0))


def damaged(path: Path, frame: int) -> None:
    with h5py.File(path, "w") as file:
        made = file.create_dataset("data", data=DATA, compression="lzf", chunks=(1, 30, 40))
        where = made.id.get_chunk_info(frame)
    with path.open("r+b") as raw:
        raw.seek(where.byte_offset)
        raw.write(b"\xff" * where.size)


def test_damage_names_file_and_frame(tmp_path: Path) -> None:
    damaged(tmp_path / "a.h5", 7)
    stack = open_stack(tmp_path / "a.h5", "data")
    with pytest.raises(DataFileError, match=r"a\.h5': frame 7: "):
        frames(stack, 2, 12)
    noted = Noted(collect=True)
    np.testing.assert_array_equal(frames(stack, 2, 12, noted), np.delete(DATA[2:12], 5, axis=0))
    assert [(one.start, one.stop) for one in noted.found] == [(7, 8)]


def test_a_source_that_cannot_be_opened_is_no_fill_value(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((6, 15, 40), "u2")
    for i in range(3):
        path = tmp_path / f"{i}.h5"
        with h5py.File(path, "w") as file:
            file["data"] = DATA[2 * i : 2 * i + 2]
        layout[2 * i : 2 * i + 2] = h5py.VirtualSource(path, "data", (2, 30, 40))[:, ::2]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    (tmp_path / "1.h5").write_bytes(b"not HDF5")
    (tmp_path / "2.h5").unlink()
    stack = open_stack(tmp_path / "m.h5", "data")
    assert stack.refused
    with pytest.raises(DataFileError, match=r"1\.h5': frame 2: it cannot be opened"):
        frames(stack, 0, 6)
    noted = Noted(collect=True)
    found = frames(stack, 0, 6, noted)
    np.testing.assert_array_equal(found[:2], DATA[:2, ::2])
    assert not found[2:].any()  # missing is the fill value, as HDF5 has it
    assert [(one.start, one.stop) for one in noted.found] == [(2, 4)]


def test_a_file_that_was_replaced(tmp_path: Path) -> None:
    damaged(tmp_path / "a.h5", 0)
    stack = open_stack(tmp_path / "a.h5", "data")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["data"] = DATA
    (tmp_path / "b.h5").replace(tmp_path / "a.h5")
    with pytest.raises(DataFileError, match=r"a\.h5': frame 4: the file was replaced"):
        frames(stack, 4, 6)


def test_by_many_threads(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, compression="lzf", chunks=(2, 30, 40))
    stack = replace(open_stack(tmp_path / "a.h5", "data"), refused="for this test", parts=())
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda i: frames(stack, i, i + 3), range(20)))
    for i, some in enumerate(found):
        np.testing.assert_array_equal(some, DATA[i : i + 3])


@pytest.mark.parametrize("nested", [False, True])
def test_frames_beside_mappings_that_lie_on_each_other(tmp_path: Path, nested: bool) -> None:
    """HDF5 counts what is laid twice, and then takes a frame that nobody laid for laid."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["d"] = DATA[:2]
    layout = h5py.VirtualLayout((4, *DATA.shape[1:]), DATA.dtype)
    for frames in (slice(0, 2), slice(0, 1), slice(1, 2)):
        layout[frames] = h5py.VirtualSource("a.h5", "d", DATA[:2].shape)[frames]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_virtual_dataset("d", layout, fillvalue=7)
    path = tmp_path / "b.h5"
    if nested:
        path = tmp_path / "c.h5"
        layout = h5py.VirtualLayout((4, *DATA.shape[1:]), DATA.dtype)
        layout[:] = h5py.VirtualSource("b.h5", "d", layout.shape)
        with h5py.File(path, "w") as file:
            file.create_virtual_dataset("d", layout, fillvalue=7)
    stack = open_stack(path, "d")
    assert "lie on each other" in (stack.refused or "")
    found = reduce_stack(stack, max=True, by=[0, 1, 2, 3])["max"]
    np.testing.assert_array_equal(found[:2], DATA[:2])
    assert (found[2:] == 7).all()
