"""Files that somebody made to be wrong: an error with file and frame, never a crash or a wait."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

import nearfield
from nearfield.errors import DataFileError, UsageError

DATA = np.random.default_rng(0).integers(0, 100, (6, 8, 9)).astype("u2")


def written(path: Path, **how: object) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=DATA, chunks=(1, 8, 9), **how)
    return path


def with_option(path: Path, number: int, value: int) -> Path:
    """Overwrites one of the numbers of its first filter, as they stand in the file."""
    with h5py.File(path) as file:
        options = file["data"].id.get_create_plist().get_filter(0)[2]
    content = bytearray(path.read_bytes())
    at = content.index(np.array(options, "<u4").tobytes(), content.index(b"shuffle")) + 4 * number
    content[at : at + 4] = value.to_bytes(4, "little")
    path.write_bytes(content)
    return path


WAYS = {
    "shuffle": (0, {"shuffle": True, "compression": "gzip"}),
    "bitshuffle": (2, {**hdf5plugin.Bitshuffle(cname="none")}),
    "bitshuffle, lz4": (2, {**hdf5plugin.Bitshuffle(cname="lz4")}),
}


@pytest.mark.parametrize("way", WAYS)
def test_elements_of_no_bytes(tmp_path: Path, way: str) -> None:
    """HDF5's own bitshuffle divides by that, and the process is gone."""
    number, how = WAYS[way]
    path = with_option(written(tmp_path / "a.h5", **how), number, 0)
    with pytest.raises(DataFileError, match=r"a\.h5': frame 0: .*damaged"):
        nearfield.reduce(path, sum=True)["sum"].load()


@pytest.mark.parametrize("value", [1, 3, 4, 7, 2**31, 2**32 - 1])
@pytest.mark.parametrize("way", WAYS)
def test_elements_of_another_size(tmp_path: Path, way: str, value: int) -> None:
    """As HDF5 reads it, or an error as there."""
    number, how = WAYS[way]
    path = with_option(written(tmp_path / "a.h5", **how), number, value)
    found = nearfield.reduce(path, max=True, by=range(6))
    with h5py.File(path) as file:
        try:
            right = file["data"][()]
        except OSError:
            with pytest.raises(DataFileError, match=r"a\.h5': frame 0: .*damaged"):
                found.load()
            return
    np.testing.assert_array_equal(found["max"], right)


def test_a_chunk_that_decodes_to_more_than_it_may(tmp_path: Path) -> None:
    """A thousand times more: it is never decoded as a whole."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        bomb = file.create_dataset("bomb", (1, 4000, 5000), "u2", chunks=True, compression="gzip")
        data = file.create_dataset("data", data=DATA, chunks=(1, 8, 9), compression="gzip")
        bomb[:] = 7
        many = bomb.id.read_direct_chunk((0, 0, 0))[1]
        data.id.write_direct_chunk((4, 0, 0), many)
    with pytest.raises(DataFileError, match=r"a\.h5': frame 4: the chunk is damaged"):
        nearfield.reduce(path, array="data", sum=True)["sum"].load()


@pytest.mark.parametrize("link", [False, True])
def test_a_pipe_is_not_waited_for(tmp_path: Path, link: bool) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    path = tmp_path / "pipe.h5"
    if link:
        path = tmp_path / "a.h5"
        layout = h5py.VirtualLayout((2, 8, 9), "u2")
        layout[0] = h5py.VirtualSource("pipe.h5", "data", (8, 9))
        with h5py.File(path, "w") as file:
            file.create_virtual_dataset("data", layout)
    with pytest.raises(DataFileError, match=r"pipe\.h5': .*a pipe, and no file|cannot be opened"):
        nearfield.reduce(path, array="data", sum=True)["sum"].load()


@pytest.mark.parametrize("name", ["a", "x", "y", "g/self/self/a"])
def test_links_that_lead_to_themselves(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
        file["x"], file["y"] = h5py.ExternalLink("b.h5", "x"), h5py.ExternalLink("a.h5", "y")
        file["g/self"] = h5py.SoftLink("/g")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = h5py.ExternalLink("a.h5", "x")
    with pytest.raises(UsageError, match=r"a\.h5': there is no"):
        nearfield.reduce(tmp_path / "a.h5", array=name, sum=True)


@pytest.mark.parametrize("lost", [1, 100, 3000])
def test_a_master_without_its_end(tmp_path: Path, lost: int) -> None:
    """Its links are whole and lead to whole files."""
    written(tmp_path / "part.h5")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for number in range(1, 4):
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink("part.h5", "data")
        file["pad"] = np.zeros(1000)
    whole = (tmp_path / "m.h5").read_bytes()
    assert nearfield.reduce(tmp_path / "m.h5", array="entry/data", sum=True).attrs["frame_count"]
    (tmp_path / "m.h5").write_bytes(whole[:-lost])
    with pytest.raises(DataFileError, match=r"m\.h5': .*truncated file"):
        nearfield.reduce(tmp_path / "m.h5", array="entry/data", sum=True)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("c8", 0), ("S3", b"a"), ([("a", "u1"), ("b", "f8")], 0), (("u2", (3,)), 0), ("V5", 0)],
    ids=str,
)
def test_what_is_no_number(tmp_path: Path, kind: object, value: object) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (3, 4, 5), np.dtype(kind))
    with pytest.raises(UsageError, match="no array of numbers"):
        nearfield.reduce(tmp_path / "a.h5", array="data", sum=True)


def test_bytes_that_lie_at_odd_places(tmp_path: Path) -> None:
    """A reader that maps the file would have to load numbers across the border of a word."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.CONTIGUOUS)
        for number in range(3):  # one byte each: what follows is at an odd place sooner or later
            file.create_dataset(f"byte{number}", data=np.ones(1, "u1"))
            file.create_dataset(f"d{number}", data=np.arange(24.0).reshape(2, 3, 4))
        offsets = [file[f"d{number}"].id.get_offset() for number in range(3)]
    assert any(offset % 8 for offset in offsets)
    for number in range(3):
        found = nearfield.reduce(path, array=f"d{number}", sum=True)["sum"]
        np.testing.assert_array_equal(found, np.arange(24.0).reshape(2, 3, 4).sum(0))
