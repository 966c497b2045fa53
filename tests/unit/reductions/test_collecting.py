"""``errors="collect"``: the result of the other frames, and it says which are missing and why."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import xarray as xr

from nearfield.errors import DataFileError, NearfieldError, UnknownNameError
from nearfield.reductions import plan, reading
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.collecting import UnreadableFramesWarning
from nearfield.reductions.index import open_stack

DATA = np.random.default_rng(5).integers(1, 900, (40, 12, 16)).astype("u2")
BOX = (slice(2, 9), slice(3, 12))
EVERYTHING = {
    "sum": True, "mean": True, "var": True, "min": True, "max": True, "roi": BOX,
    "masks": {"half": np.full((12, 16), 0.5)}, "histogram": np.array([0, 300, 600, 900]),
}  # fmt: skip


def made(path: Path, frames: int = 1, *lost: int, **how: object) -> Path:
    """A stack with chunks of some frames; the chunks of the frames ``lost`` are damaged."""
    with h5py.File(path, "w") as file:
        chosen = {"chunks": (frames, 12, 16), **(how or hdf5plugin.Bitshuffle(cname="lz4"))}
        dataset = file.create_dataset("data", data=DATA, **chosen)
        places = [
            dataset.id.get_chunk_info_by_coord((n // frames * frames, y, 0))
            for n in lost
            for y in range(0, 12, chosen["chunks"][1])
        ]
    with path.open("r+b") as raw:
        for place in places[:: 12 // chosen["chunks"][1]]:
            raw.seek(place.byte_offset)
            raw.write(b"\x5a" * place.size)
    return path


def check(found: xr.Dataset, lost: list[int], data: np.ndarray = DATA) -> None:
    """All variables against numpy's over the frames that are left."""
    mask = np.isin(np.arange(len(data)), lost)
    left = data[~mask].astype("i8")
    np.testing.assert_array_equal(found["unreadable"], mask)
    np.testing.assert_array_equal(found["sum"], left.sum(0))
    np.testing.assert_array_equal(found["min"], left.min(0))
    np.testing.assert_array_equal(found["max"], left.max(0))
    np.testing.assert_allclose(found["mean"], left.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found["var"], left.var(0), rtol=1e-9)
    assert int(found["histogram"].sum()) == left.size
    roi = found["roi"]
    np.testing.assert_array_equal(roi[~mask], left[:, *BOX].sum((1, 2)))
    assert (roi[mask] == roi.attrs["missing_value"]).all()
    half = found["masks"].squeeze()
    np.testing.assert_allclose(half[~mask], left.sum((1, 2)) / 2)
    assert np.isnan(half[mask]).all()


WAYS = {
    "a frame a chunk": (1, {}, [0, 7, 8, 39]),
    "four frames a chunk": (4, {}, [4, 5, 6, 7]),
    "tiles": (2, {"chunks": (2, 6, 16), **hdf5plugin.LZ4()}, [10, 11, 20, 21]),
    "gzip": (1, {"compression": "gzip"}, [3, 30]),
    "by h5py": (1, {"compression": "lzf", "fletcher32": True}, [0, 9, 10]),
}


@pytest.mark.parametrize("task", [400, 3000, 10**8])
@pytest.mark.parametrize("way", WAYS)
def test_the_other_frames(
    tmp_path: Path, way: str, task: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks of one frame (or chunk) too: some have no frame that can be read."""
    monkeypatch.setattr(plan, "TASK", task)
    frames, how, lost = WAYS[way]
    stack = open_stack(made(tmp_path / "a.h5", frames, *lost, **how), "data")
    found = reduce_stack(stack, errors="collect", workers=2, **EVERYTHING)
    with pytest.warns(UnreadableFramesWarning, match=f"{len(lost)} of 40 frames"):
        found.load()
    check(found, lost)
    said = json.loads(found.attrs["unreadable_frames"])
    assert "a.h5" in said[0]
    assert said[0].startswith(f"frame {lost[0]}:" if frames == 1 else f"frames {lost[0]} to ")


def test_by_default_it_is_an_error(tmp_path: Path) -> None:
    stack = open_stack(made(tmp_path / "a.h5", 1, 7), "data")
    with pytest.raises(DataFileError, match=r"a\.h5': frame 7: the chunk is damaged"):
        reduce_stack(stack, sum=True)["sum"].load()
    with pytest.raises(UnknownNameError, match="ignore"):
        reduce_stack(stack, sum=True, errors="ignore")


def test_nothing_is_said_of_frames_that_are_all_there(tmp_path: Path) -> None:
    found = reduce_stack(
        open_stack(made(tmp_path / "a.h5"), "data"), errors="collect", **EVERYTHING
    ).load()
    check(found, [])
    assert "unreadable_frames" not in found.attrs


def test_no_frame_at_all(tmp_path: Path) -> None:
    stack = open_stack(made(tmp_path / "a.h5", 1, *range(40)), "data")
    with pytest.raises(NearfieldError, match=r"none of the frames could be read; .*a\.h5"):
        reduce_stack(stack, errors="collect", sum=True)["sum"].load()


def test_some_of_the_frames(tmp_path: Path) -> None:
    stack = open_stack(made(tmp_path / "a.h5", 1, 4, 9, 12, 13), "data")
    found = reduce_stack(stack, errors="collect", frames=slice(3, 30, 3), **EVERYTHING)
    with pytest.warns(UnreadableFramesWarning, match="2 of 9 frames"):
        found.load()
    check(found, [2, 3], DATA[3:30:3])
    assert [text.partition(":")[0] for text in json.loads(found.attrs["unreadable_frames"])] == [
        "frame 2",
        "frame 3",
    ]


def test_groups_and_corrections(tmp_path: Path) -> None:
    stack = open_stack(made(tmp_path / "a.h5", 1, 5, 6), "data")
    label, left = np.arange(40) % 3, np.ones(40, bool)
    left[[5, 6]] = False
    found = reduce_stack(
        stack, errors="collect", mean=True, by={"step": label}, dark=np.ones((12, 16))
    )
    with pytest.warns(UnreadableFramesWarning):
        found.load()
    for step in range(3):
        wanted = DATA[(label == step) & left].mean(0) - 1
        np.testing.assert_allclose(found["mean"].sel(step=step), wanted)


def linked(folder: Path) -> Path:
    layout = h5py.VirtualLayout(DATA.shape, "u2")
    for i in range(4):
        with h5py.File(folder / f"{i}.h5", "w") as file:
            file["data"] = DATA[10 * i : 10 * i + 10]
        layout[10 * i : 10 * i + 10] = h5py.VirtualSource(f"{i}.h5", "data", (10, 12, 16))
    with h5py.File(folder / "master.h5", "w") as master:
        master.create_virtual_dataset("data", layout)
    return folder / "master.h5"


def test_a_file_that_is_cut(tmp_path: Path) -> None:
    master = linked(tmp_path)
    os.truncate(tmp_path / "2.h5", 4096)
    found = reduce_stack(open_stack(master, "data"), errors="collect", **EVERYTHING)
    with pytest.warns(UnreadableFramesWarning, match=r"2\.h5"):
        found.load()
    check(found, list(range(20, 30)))


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of it before is not in the result."""
    stack = open_stack(linked(tmp_path), "data")
    read = reading.Chunks.read
    done = []

    def changed(self: object, *arguments: object, **more: object) -> object:
        found = read(self, *arguments, **more)  # type: ignore[arg-type]
        if not done:
            done.append(1)
            other = tmp_path / "other"
            other.write_bytes(b"")
            other.replace(tmp_path / "1.h5")
        return found

    monkeypatch.setattr(reading.Chunks, "read", changed)
    found = reduce_stack(stack, errors="collect", workers=1, **EVERYTHING)
    with pytest.warns(UnreadableFramesWarning, match=r"1\.h5.*replaced"):
        found.load()
    check(found, list(range(10, 20)))


def test_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``partial`` shows of the first tasks: as long as their frames."""
    monkeypatch.setattr(plan, "TASK", 4 * 12 * 16 * 2)
    stack = open_stack(made(tmp_path / "a.h5", 1, 2, 9), "data")
    found = reduce_stack(stack, errors="collect", workers=1, roi=BOX, sum=True)
    seen = []

    def look(done: int, of: int) -> None:
        if done == 8:
            seen.append(found.nearfield.partial())

    with pytest.warns(UnreadableFramesWarning):
        found.nearfield.compute(progress=look)
    assert seen[0]["unreadable"].values.tolist() == [n == 2 for n in range(8)]
    assert seen[0]["roi"].sizes == {"frame": 8}


def test_damaged_chunks_at_the_edge_of_the_frames(tmp_path: Path) -> None:
    """Such chunks are compared with what HDF5 reads, and that fails here."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        how = {"chunks": (1, 12, 9), "compression": "gzip"}
        dataset = file.create_dataset("data", DATA.shape, DATA.dtype, **how)
        dataset[:, :, :9] = DATA[:, :, :9]
        # As large as what it holds: so HDF5 keeps chunks at the edge without filters, if told so.
        dataset.id.write_direct_chunk((3, 0, 9), b"\x5a" * 216)
    found = reduce_stack(open_stack(path, "data"), errors="collect", **EVERYTHING)
    with pytest.warns(UnreadableFramesWarning, match="1 of 40"):
        found.load()
    check(found, [3], np.where(np.arange(16) < 9, DATA, 0))
