"""However a dataset is stored in its own file, its stack is byte for byte what h5py reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.index import open_stack, stored
from nearfield.reductions.stack import DAMAGED
from stacklab.assembling import assembled

CASES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "contiguous": ((7, 5, 6), {}),
    "a frame a chunk": ((7, 5, 6), {"chunks": (1, 5, 6)}),
    "frames of three": ((7, 5, 6), {"chunks": (3, 5, 6), "compression": "gzip"}),
    "tiles": ((7, 5, 6), {"chunks": (2, 2, 4), "compression": "gzip", "shuffle": True}),
    "one image a row": ((3, 5, 6, 4), {"chunks": (1, 5, 6, 4), "compression": "gzip"}),
    "scan": ((3, 5, 6, 4), {"chunks": (1, 1, 6, 4)}),
    "scan, rows of two": ((3, 5, 6, 4), {"chunks": (1, 2, 6, 4), "compression": "gzip"}),
    "scan, squares": ((3, 5, 6, 4), {"chunks": (2, 2, 3, 4), "compression": "gzip"}),
    "scan of three axes": ((2, 3, 5, 6, 4), {"chunks": (2, 1, 2, 3, 3)}),
    "contiguous scan": ((3, 5, 6, 4), {}),
    "spectra": ((9, 11), {"chunks": (4, 5), "compression": "gzip"}),
    "numbers": ((9,), {"chunks": (4,)}),
    "grown": ((7, 5, 6), {"chunks": (2, 5, 6), "maxshape": (None, None, None)}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["<u2", ">i4", "<f8"])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_as_h5py_reads_it(name: str, kind: str, libver: str, tmp_path: Path) -> None:
    shape, how = CASES[name]
    data = np.random.default_rng(1).integers(0, 2**15, shape).astype(kind)
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file.create_dataset("d", data=data, **how)
    stack = open_stack(tmp_path / "a.h5", "d")
    frame = min(2, len(shape) - 1)
    assert stack.refused is None
    assert stack.outer == shape[: len(shape) - frame]
    assert stack.dtype == np.dtype(kind).newbyteorder("=")
    np.testing.assert_array_equal(assembled(stack), data.reshape(-1, *shape[len(shape) - frame :]))


@pytest.mark.parametrize("frame_ndim", [0, 1, 2, 3, 4])
def test_as_many_axes_make_a_frame_as_asked(frame_ndim: int, tmp_path: Path) -> None:
    data = np.arange(3 * 4 * 5 * 6, dtype="u2").reshape(3, 4, 5, 6)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("d", data=data, chunks=(2, 3, 2, 4))
    stack = open_stack(tmp_path / "a.h5", "d", frame_ndim=frame_ndim)
    np.testing.assert_array_equal(assembled(stack), data.reshape(-1, *data.shape[4 - frame_ndim :]))


@pytest.mark.parametrize(("said", "axes"), [("image", 2), ("spectrum", 1), ("scalar", 0)])
def test_nexus_says_what_a_frame_is(said: str, axes: int, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("d", data=np.zeros((4, 5), "u2")).attrs["interpretation"] = said
    stack = open_stack(tmp_path / "a.h5", "d")
    assert len(stack.frame_shape) == axes
    assert stack.attributes == {"interpretation": said}


@pytest.mark.parametrize("fill", [0, 7])
@pytest.mark.parametrize("when", ["alloc", "ifset", "never"])
def test_what_was_never_written_is_the_fill_value(fill: int, when: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset(
            "d", (9, 4, 4), "u2", chunks=(2, 4, 4), fillvalue=fill, fill_time=when
        )
        made[3] = 5
        file.create_dataset("c", (9, 4, 4), "u2", fillvalue=fill, fill_time=when)
    for name in "dc":
        with h5py.File(tmp_path / "a.h5") as file:
            data = file[name][:]
        np.testing.assert_array_equal(assembled(open_stack(tmp_path / "a.h5", name)), data)


def test_chunks_that_a_filter_was_left_out_for(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("d", (3, 4, 4), "u2", chunks=(1, 4, 4), compression="gzip")
        made[0] = 3
        plain = np.arange(16, dtype="u2").reshape(4, 4)
        made.id.write_direct_chunk((1, 0, 0), plain.tobytes(), filter_mask=1)
    with h5py.File(tmp_path / "a.h5") as file:
        data = file["d"][:]
    np.testing.assert_array_equal(assembled(open_stack(tmp_path / "a.h5", "d")), data)


def test_places_count_from_the_start_of_a_file_with_a_user_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.arange(60, dtype="u2").reshape(3, 4, 5)
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file.create_dataset("chunked", data=data, chunks=(1, 4, 5))
        file.create_dataset("contiguous", data=data)
    for name in ("chunked", "contiguous"):
        np.testing.assert_array_equal(assembled(open_stack(tmp_path / "a.h5", name)), data)
    monkeypatch.setattr(stored, "_USER_BLOCKS", False)  # as with an HDF5 that was not tried
    assert "user block" in str(open_stack(tmp_path / "a.h5", "chunked").refused)


def test_chunks_larger_than_what_is_there(tmp_path: Path) -> None:
    data = np.arange(60, dtype="u2").reshape(3, 4, 5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(
            "d", data=data, chunks=(8, 8, 8), maxshape=(None,) * 3, compression="gzip"
        )
    stack = open_stack(tmp_path / "a.h5", "d")
    np.testing.assert_array_equal(assembled(stack), data)


@pytest.mark.parametrize("where", ["offset", "size"])
def test_damaged_index_names_its_frame_and_reads_nothing_large(where: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        made = file.create_dataset("d", (4, 8, 8), "u2", chunks=(1, 8, 8), compression="gzip")
        made[:] = np.random.default_rng(1).integers(0, 99, made.shape)
        info = made.id.get_chunk_info(2)
    data = bytearray(path.read_bytes())
    # A B-tree of version 1: size (4), mask (4), offsets (4 x 8) of a chunk, then its address (8).
    at = bytes(data).index(info.size.to_bytes(4, "little") + bytes(4) + (2).to_bytes(8, "little"))
    place = slice(at + 40, at + 48) if where == "offset" else slice(at, at + 4)
    data[place] = (2**60).to_bytes(8, "little") if where == "offset" else b"\xf0\xff\xff\x7f"
    path.write_bytes(data)
    stack = open_stack(path, "d")
    table = stack.parts[0].stored
    assert (table.offset[:, 0] == DAMAGED).tolist() == [False, False, True, False]
    assert table.size.max() < path.stat().st_size


def test_what_is_not_understood_is_left_to_h5py(tmp_path: Path) -> None:
    from h5py import h5d, h5p, h5s, h5t

    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        compact = h5p.create(h5p.DATASET_CREATE)
        compact.set_layout(h5d.COMPACT)
        space = h5s.create_simple((3, 2, 2))
        h5d.create(file.id, b"compact", h5t.STD_U16LE, space, compact)
        twelve = h5t.STD_U16LE.copy()
        twelve.set_precision(12)
        h5d.create(file.id, b"twelve bits", twelve, space)
        file.create_dataset("elsewhere", (3, 2, 2), "u2", external=[("raw", 0, 24)])
        colours = h5py.enum_dtype({"red": 0, "green": 1}, "i1")
        file.create_dataset("enumeration", (3, 2, 2), colours)
    why = {
        name: open_stack(path, name)
        for name in ("compact", "twelve bits", "elsewhere", "enumeration")
    }
    for name, stack in why.items():
        assert stack.refused, name
        assert stack.parts == ()
        assert [(h.path, h.name, h.frames) for h in stack.held] == [(str(path), f"/{name}", 3)]
        assert stack.shape == (3, 2, 2)
    assert "spare bits" in str(why["twelve bits"].refused)


def test_what_is_no_array_of_numbers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["words"] = ["a", "b"]
        file["number"] = 3
        file.create_group("g")
    for name, words in {
        "words": "no array",
        "number": "no array",
        "g": "group",
        "h": "no 'h'",
    }.items():
        with pytest.raises(UsageError, match=words):
            open_stack(tmp_path / "a.h5", name)
    with pytest.raises(DataFileError, match="no such file"):
        open_stack(tmp_path / "b.h5", "d")


@pytest.mark.parametrize(("value", "rows"), [(None, 2), (0, 2), (None, 40), (0, 40)])
def test_partial_chunks_that_may_be_without_filters(
    value: int | None, rows: int, tmp_path: Path
) -> None:
    """Zeros shuffled are zeros: whether partial chunks are is only known by comparing them all."""
    shape = (4 * rows - 1, 7)
    data = (
        np.zeros(shape, "u2")
        if value == 0
        else np.arange(np.prod(shape), dtype="u2").reshape(shape)
    )
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.create_dataset("d", data=data, chunks=(4, 6), shuffle=True)
    stack = open_stack(tmp_path / "a.h5", "d")
    if value == 0 and rows == 40:
        assert "edges" in str(stack.refused)
    else:
        np.testing.assert_array_equal(assembled(stack), data)
