"""``nearfield.reduce``: what it takes, and how NeXus names and units come into its result."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.datasets import DataFile, Dataset
from nearfield.errors import DataFileError, UnknownNameError, UsageError

WHEN = datetime(2024, 5, 1, tzinfo=UTC)
DATA = np.random.default_rng(3).integers(0, 4000, (24, 6, 8)).astype("u2")
ENERGY = np.repeat([8.0, 8.5, 9.0], 8)
AXES = ["energy", "y_pixel", "q"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A scan of energies as NeXus has it."""
    found = tmp_path / "scan.nxs"
    with h5py.File(found, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update(NX_class="NXentry", default="data")
        data = entry.create_group("data")
        data.attrs.update(NX_class="NXdata", signal="frames", axes=AXES)
        data.attrs.update(energy_indices=0, y_pixel_indices=1, q_indices=2, delay_indices=0)
        frames = data.create_dataset("frames", data=DATA, chunks=(1, 6, 8), compression="gzip")
        frames.attrs.update(units="counts", long_name="Eiger")
        data["energy"] = ENERGY
        data["energy"].attrs["units"] = "keV"
        data["q"] = np.linspace(0, 1, 8)
        data["q"].attrs["units"] = "1/nm"
        data["delay"] = np.arange(24) % 4
        data["delay"].attrs["units"] = "ps"
        data["other"] = np.arange(24)
    return found


def file_at(path: Path) -> DataFile:
    return DataFile(path=str(path), size=9999, mtime=WHEN)


def test_names_coordinates_and_units_are_those_of_the_file(path: Path) -> None:
    found = nearfield.reduce(path, mean=True, roi=(slice(2), slice(3)))
    assert found["mean"].dims == ("y_pixel", "q")
    assert found["mean"].attrs["units"] == "counts"
    assert found["mean"].attrs["long_name"] == "mean of Eiger"
    assert found["roi"].dims == ("energy",)
    np.testing.assert_array_equal(found["energy"], ENERGY)
    assert found["energy"].attrs["units"] == "keV"
    assert found["delay"].dims == ("energy",)
    assert found["delay"].attrs["units"] == "ps"
    assert found["q"].attrs["units"] == "1/nm"
    assert set(found.coords) == {"energy", "delay", "q"}
    np.testing.assert_allclose(found["mean"], DATA.astype("f8").mean(0), rtol=1e-15)
    np.testing.assert_array_equal(found["roi"], DATA[:, :2, :3].astype("u8").sum((1, 2)))


def test_where_a_result_has_no_frames_their_coordinates_are_left_out(path: Path) -> None:
    assert set(nearfield.reduce(path, sum=True).coords) == {"q"}


@pytest.mark.parametrize("by", ["energy", "delay"])
def test_groups_by_the_name_of_a_coordinate(path: Path, by: str) -> None:
    values = {"energy": ENERGY, "delay": np.arange(24) % 4}[by]
    found = nearfield.reduce(path, mean=True, roi=(slice(2),), by=by)
    assert found["mean"].dims == (by, "y_pixel", "q")
    assert found[by].attrs["units"] == {"energy": "keV", "delay": "ps"}[by]
    for value in np.unique(values):
        right = DATA[values == value].astype("f8").mean(0)
        np.testing.assert_allclose(found["mean"].sel({by: value}), right, rtol=1e-14)
    assert found["roi"].dims == ("frame" if by == "energy" else "energy",)
    np.testing.assert_array_equal(found[f"frame_{by}"], values)


def test_a_name_that_is_no_coordinate_names_those_that_are(path: Path) -> None:
    with pytest.raises(UnknownNameError, match="delay, energy"):
        nearfield.reduce(path, mean=True, by="temperature")


@pytest.mark.parametrize("rows", [1, 5, None])
@pytest.mark.parametrize(
    "frames", [slice(0, 24), slice(3, 20), slice(-4, None), slice(1, None, 3), slice(23, 24, 7)]
)
def test_some_of_the_frames(tmp_path: Path, rows: int | None, frames: slice) -> None:
    chunks = {} if rows is None else {"chunks": (rows, 6, 8), "compression": "gzip"}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, **chunks)
    monitor = np.arange(1.0, 25)
    found = nearfield.reduce(
        tmp_path / "a.h5", frames=frames, sum=True, roi=(), by={"e": ENERGY}, monitor=monitor
    )
    right = (DATA / monitor[:, None, None])[frames]
    np.testing.assert_allclose(found["roi"], right.sum((1, 2)), rtol=1e-12)
    for energy in np.unique(ENERGY[frames]):
        some = right[ENERGY[frames] == energy].sum(0)
        np.testing.assert_allclose(found["sum"].sel(e=energy), some, rtol=1e-12)
    assert found.attrs["frame_count"] == len(right)
    assert found.attrs["stack_frames"] == 24


def test_a_slice_takes_the_coordinates_along(path: Path) -> None:
    found = nearfield.reduce(path, frames=slice(2, None, 5), roi=(slice(2),))
    np.testing.assert_array_equal(found["energy"], ENERGY[2::5])
    np.testing.assert_array_equal(found["delay"], (np.arange(24) % 4)[2::5])


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (slice(30, 40), "none of the stack's 24 frames"),
        (slice(None, None, -1), "forwards"),
        (slice("a", 3), "integers"),
        (7, "is no slice"),
        (slice(None, None, 0), "zero"),
    ],
)
def test_frames_that_are_not_there(path: Path, frames: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        nearfield.reduce(path, frames=frames, sum=True)


def test_what_a_result_says_of_itself_is_json(path: Path) -> None:
    os.utime(path, (1e9, 1e9))  # a file of this second may still be written
    found = nearfield.reduce(path, sum=True, roi={"a": (slice(2),)}, dark=np.zeros((6, 8)))
    told = json.loads(json.dumps(found.attrs))
    assert told["source_file"] == str(path)
    assert told["source_dataset"] == "/entry/data/frames"
    assert json.loads(told["source_files"]) == [str(path)]
    assert told["nearfield_version"] == nearfield.__version__
    assert (told["frames"], told["partial"]) == ([0, 24, 1], 0)
    asked = json.loads(told["asked"])
    assert asked["roi"] == {"a": [{"slice": [None, 2, None]}]}
    assert asked["dark"]["shape"] == [6, 8]
    assert set(asked) == {"sum", "roi", "dark"}


def test_missing_source_files_are_named(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((3, 6, 8), "u2")
    for frame in range(3):
        layout[frame] = h5py.VirtualSource(f"part{frame}.h5", "data", (6, 8), "u2")
        if frame != 1:
            with h5py.File(tmp_path / f"part{frame}.h5", "w") as file:
                file["data"] = DATA[frame]
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file.create_virtual_dataset("data", layout, fillvalue=7)
    found = nearfield.reduce(tmp_path / "master.h5", roi=())
    assert found["roi"][1] == 7 * 48
    missing = json.loads(found.attrs["missing_files"])
    assert [Path(name).name for name in missing] == ["part1.h5"]


def test_a_scan_of_two_axes_has_a_coordinate_of_each(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "map.nxs", "w") as file:
        data = file.create_group("entry/data")
        file["entry"].attrs["NX_class"] = "NXentry"
        data.attrs.update(NX_class="NXdata", signal="d", axes=["sy", "sx", ".", "."])
        data["d"] = DATA.reshape(4, 6, 6, 8)
        data["d"].attrs["interpretation"] = "image"
        data["sy"], data["sx"] = np.arange(4) * 0.1, np.arange(6) * 0.2
    found = nearfield.reduce(tmp_path / "map.nxs", roi=(), mean=True, by="sy")
    assert found["roi"].dims == ("frame",)
    np.testing.assert_allclose(found["sx"], np.tile(np.arange(6) * 0.2, 4))
    np.testing.assert_allclose(found["mean"][2], DATA[12:18].astype("f8").mean(0))


@pytest.mark.parametrize("name", ["mean", "frame", "region"])
def test_an_axis_that_is_called_as_a_result_is(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        data = file.create_group("entry/data")
        file["entry"].attrs["NX_class"] = "NXentry"
        data.attrs.update(NX_class="NXdata", signal="d", axes=[name, "y", name])
        data["d"] = DATA
        data[name] = np.arange(24.0)
    found = nearfield.reduce(tmp_path / "a.nxs", roi={"r": ()}, mean=True)
    assert found["mean"].shape == (6, 8)
    np.testing.assert_array_equal(found["roi"][:, 0], DATA.astype("u8").sum((1, 2)))


def test_sources_of_every_kind_are_the_same_stack(path: Path) -> None:
    right = DATA.astype("u8").sum(0)
    record = Dataset(pid="10.1/a", files=(file_at(path),), title="A scan")
    for source in (path, str(path), record):
        np.testing.assert_array_equal(nearfield.reduce(source, sum=True)["sum"], right)
    assert nearfield.reduce(record, sum=True).attrs["dataset_pid"] == "10.1/a"
    with h5py.File(path) as file:
        found = nearfield.reduce(file["entry/data/frames"], sum=True)
        assert found["sum"].dims == ("y_pixel", "q")
        closed = file["entry/data/frames"]
    np.testing.assert_array_equal(found["sum"], right)
    with pytest.raises(UsageError, match="closed"):
        nearfield.reduce(closed, sum=True)


def test_an_array_by_its_path(path: Path) -> None:
    found = nearfield.reduce(path, array="entry/data/frames", max=True)
    np.testing.assert_array_equal(found["max"], DATA.max(0))
    with pytest.raises(UsageError, match="there is no 'entry/nothing'"):
        nearfield.reduce(path, array="entry/nothing", max=True)


def test_a_record_whose_file_is_elsewhere() -> None:
    record = Dataset(pid="10.1/a", files=(file_at(Path("/nowhere/at/all.h5")),))
    with pytest.raises(DataFileError, match="start a session where its storage is"):
        nearfield.reduce(record, sum=True)


def test_a_record_on_tape_is_not_recalled(tmp_path: Path) -> None:
    with (tmp_path / "a.h5").open("wb") as file:
        file.truncate(1 << 20)  # a size, and no blocks
    record = Dataset(pid="10.1/a", files=(file_at(tmp_path / "a.h5"),))
    with pytest.raises(DataFileError, match="is on tape"):
        nearfield.reduce(record, sum=True)


def test_what_is_no_source(path: Path) -> None:
    with pytest.raises(UsageError, match="int is nothing with frames"):
        nearfield.reduce(7, sum=True)
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        file["a"] = DATA
        with pytest.raises(UsageError, match="has to be saved first"):
            nearfield.reduce(file["a"], sum=True)


def test_a_path_without_a_file_is_no_pid() -> None:
    with pytest.raises(DataFileError, match="no such file"):
        nearfield.reduce("/nowhere/scan.nxs", sum=True)


def test_sums_of_pixels_have_the_units_of_the_signal(path: Path) -> None:
    whole = (slice(None), slice(None))
    mask, weights = np.eye(6, 8), np.full((6, 8), 0.5)
    found = nearfield.reduce(path, roi=whole, masks={"m": mask}, count=True)
    assert found["roi"].attrs["units"] == found["masks"].attrs["units"] == "counts"
    assert "units" not in found["roi_count"].attrs
    assert "units" not in nearfield.reduce(path, masks=[weights])["masks"].attrs
    assert "units" not in nearfield.reduce(path, roi=whole, monitor=np.ones(24))["roi"].attrs
