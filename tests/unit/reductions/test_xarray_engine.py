"""The engine gives what h5py reads, with the names that NeXus gives, and in the right chunks."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import xarray as xr

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.lazy_frames import FramesArray, SmallChunksWarning, preferred

FRAMES = 40
STORED = {
    "contiguous": {},
    "one frame": {"chunks": (1, 20, 30), **hdf5plugin.Bitshuffle(cname="lz4")},
    "seven frames": {"chunks": (7, 20, 30), "compression": "gzip"},
    "tiles": {"chunks": (3, 7, 11), "compression": "gzip"},
    "refused": {"chunks": (1, 20, 30), "scaleoffset": 12},
}
KEYS = [
    {},
    {"angle": 3},
    {"angle": -1, "y": 4, "x": -1},
    {"angle": slice(5, 33)},
    {"angle": slice(None, None, 9), "x": slice(3, 4)},
    {"angle": slice(None, None, -1), "y": slice(None, None, -3)},
    {"angle": [39, 1, 1, 20], "x": [29, 0, 4]},
    {"y": slice(8, 12), "x": slice(12, 20)},
    {"angle": slice(7, 7)},
    {"angle": [], "x": 2},
    {"angle": np.arange(FRAMES) % 4 == 1},
]


def nexus(path: Path, data: np.ndarray, **stored: object) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "plot"})
        plot = entry.create_group("plot")
        plot.attrs.update({"NX_class": "NXdata", "signal": "counts", "axes": ["angle", "y", "x"]})
        plot.create_dataset("counts", data=data, **stored).attrs["units"] = "counts"
        plot["angle"] = np.linspace(0, 1, len(data))
        plot["angle"].attrs.update({"units": "deg", "long_name": "sample angle"})
        plot["x"] = np.arange(31) * 0.5  # the edges of its bins


def content(frames: int = FRAMES) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 4000, (frames, 20, 30)).astype("u2")


def opened(path: Path, **how: object) -> xr.Dataset:
    return xr.open_dataset(path, engine="nearfield", **how)


@pytest.mark.parametrize("stored", STORED)
def test_any_selection_is_numpys(tmp_path: Path, stored: str) -> None:
    data = content()
    nexus(tmp_path / "a.h5", data, **STORED[stored])
    plain = xr.DataArray(data, dims=("angle", "y", "x"))
    for key in KEYS:
        found = opened(tmp_path / "a.h5")["counts"].isel(key)
        np.testing.assert_array_equal(found.values, plain.isel(key).values, str(key))
        assert found.dtype == data.dtype


def test_names_units_and_edges(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5", content())
    found = opened(tmp_path / "a.h5")
    assert list(found.data_vars) == ["counts"]
    assert found["counts"].dims == ("angle", "y", "x")
    assert found["counts"].attrs["units"] == "counts"
    assert found["angle"].attrs == {"units": "deg", "long_name": "sample angle"}
    np.testing.assert_array_equal(found["angle"], np.linspace(0, 1, FRAMES))
    assert found["x_edges"].dims == ("x_edges",)
    assert found["x_edges"].size == 31
    assert "x" not in found.coords


def test_an_array_or_a_group_can_be_named(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5", content())
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["raw/other"] = np.arange(24.0).reshape(2, 3, 4)
    for how in ({"array": "raw/other"}, {"group": "raw", "array": "other"}):
        other = opened(tmp_path / "a.h5", **how)
        assert other["other"].dims == ("frame", "y", "x")
        np.testing.assert_array_equal(other["other"], np.arange(24.0).reshape(2, 3, 4))
    assert opened(tmp_path / "a.h5", group="entry/plot")["counts"].dims == ("angle", "y", "x")
    assert "angle" not in opened(tmp_path / "a.h5", drop_variables="angle").coords
    with pytest.raises(UsageError, match="there is no 'raw/third'"):
        opened(tmp_path / "a.h5", array="raw/third")


def test_a_scan_keeps_its_axes_and_its_mesh(tmp_path: Path) -> None:
    data = content(24).reshape(4, 6, 20, 30)
    mesh = np.arange(24.0).reshape(4, 6)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plot = file.create_group("plot")
        plot.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": ["sy", "sx", ".", "."]})
        plot.attrs.update({"energy_indices": [0, 1]})
        plot.create_dataset("data", data=data, chunks=(1, 1, 20, 30))
        plot["sy"], plot["sx"], plot["energy"] = np.arange(4), np.arange(6), mesh
    found = opened(tmp_path / "a.h5", group="plot")
    assert found["data"].dims == ("sy", "sx", "y", "x")
    assert found["energy"].dims == ("sy", "sx")
    np.testing.assert_array_equal(found["energy"], mesh)
    np.testing.assert_array_equal(found["data"].isel(sy=[3, 0], sx=2), data[[3, 0], 2])
    np.testing.assert_array_equal(found["data"].sel(sx=5), data[:, 5])


def test_a_virtual_dataset_is_what_h5py_reads(tmp_path: Path) -> None:
    data = content()
    nexus(tmp_path / "one.h5", data[:25], **STORED["one frame"])
    layout = h5py.VirtualLayout((FRAMES, 20, 30), "u2")
    layout[:25] = h5py.VirtualSource(tmp_path / "one.h5", "entry/plot/counts", (25, 20, 30))
    layout[25:] = h5py.VirtualSource(tmp_path / "gone.h5", "entry/plot/counts", (15, 20, 30))
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file.create_virtual_dataset("data", layout, fillvalue=9)
        expected = file["data"][()]
    found = opened(tmp_path / "master.h5")
    np.testing.assert_array_equal(found["data"], expected)
    assert found["data"].attrs["missing_files"] == [str(tmp_path / "gone.h5")]


def test_chunks_are_whole_frames_on_the_files_chunks(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (1000, 512, 512), "u2", chunks=(7, 512, 512))
        file.create_dataset("scan", (30, 40, 512, 512), "u2", chunks=(1, 1, 512, 512))
    lazy = opened(tmp_path / "a.h5", array="data", chunks={})["data"]
    frames = lazy.chunks[0][0]
    assert frames % 7 == 0
    assert 16 << 20 <= frames * 512 * 512 * 2 <= 64 << 20
    assert lazy.chunks[1:] == ((512,), (512,))
    scan = opened(tmp_path / "a.h5", array="scan", chunks={})["scan"]
    assert scan.chunks[:2] == ((1,) * 30, (40,))


@pytest.mark.parametrize("stored", ["one frame", "tiles", "refused"])
def test_dask_and_pickles(tmp_path: Path, stored: str) -> None:
    data = content()
    nexus(tmp_path / "a.h5", data, **STORED[stored])
    lazy = opened(tmp_path / "a.h5")["counts"].chunk(angle=9)
    again = pickle.loads(pickle.dumps(lazy))  # noqa: S301 - our own
    for one in (lazy, again):
        np.testing.assert_array_equal(one.sum("angle").compute(scheduler="threads"), data.sum(0))
    whole = pickle.loads(pickle.dumps(opened(tmp_path / "a.h5")))  # noqa: S301
    np.testing.assert_array_equal(whole["counts"][7], data[7])


def test_a_damaged_frame_is_named(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5", content(), **STORED["one frame"])
    with h5py.File(tmp_path / "a.h5") as file:
        where = file["entry/plot/counts"].id.get_chunk_info(11)
    with (tmp_path / "a.h5").open("r+b") as raw:
        raw.seek(where.byte_offset)
        raw.write(b"\xff" * 40)
    found = opened(tmp_path / "a.h5")["counts"]
    assert found[:11].values.shape == (11, 20, 30)
    with pytest.raises(DataFileError, match=r"a\.h5': frame 11:"):
        found[10:12].load()


def test_frame_by_frame_warns_once_and_tells_the_chunks(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5", content(), **STORED["one frame"])
    lazy = opened(tmp_path / "a.h5")["counts"].chunk(angle=1)
    with pytest.warns(SmallChunksWarning, match=r"chunk\(\{'angle': 40\}\)") as seen:
        lazy.sum().compute(scheduler="threads")
    assert len([one for one in seen if one.category is SmallChunksWarning]) == 1
    with pytest.warns(UserWarning, match="separate the stored chunks"):  # xarray's own
        opened(tmp_path / "a.h5", chunks={"angle": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(tmp_path / "a.h5", chunks={})["counts"].sum().compute(scheduler="threads")


def test_only_what_is_needed_is_read(tmp_path: Path) -> None:
    """The other chunks are destroyed: to read one of them fails."""
    data = content()
    nexus(tmp_path / "a.h5", data, **STORED["tiles"])
    with h5py.File(tmp_path / "a.h5") as file:
        dataset = file["entry/plot/counts"]
        spared = {(0, 7, 11), (39, 7, 11)}
        chunks = [dataset.id.get_chunk_info(i) for i in range(dataset.id.get_num_chunks())]
        doomed = [c for c in chunks if c.chunk_offset not in spared]
    with (tmp_path / "a.h5").open("r+b") as raw:
        for chunk in doomed:
            raw.seek(chunk.byte_offset)
            raw.write(b"\xff" * chunk.size)
    found = opened(tmp_path / "a.h5")["counts"]
    part = found.isel(angle=[39, 0], y=slice(7, 14), x=slice(12, 20))
    np.testing.assert_array_equal(part, data[[39, 0], 7:14, 12:20])
    with pytest.raises(DataFileError, match="damaged"):
        found.isel(angle=0, y=6, x=12).load()


def test_preferred_chunks_of_frames_larger_than_a_chunk(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (3, 8000, 8000), "f4", chunks=(1, 800, 800))
    lazy = opened(tmp_path / "a.h5")["data"].variable._data
    while not isinstance(lazy, FramesArray):
        lazy = lazy.array
    assert preferred(lazy.stack) == (1, 8000, 8000)


def test_a_bank_of_flight_times(tmp_path: Path) -> None:
    """Spectra of pixels, with the edges of the bins of time."""
    data = np.random.default_rng(4).integers(0, 9, (6, 8, 50)).astype("i4")
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        bank = file.create_group("entry/bank1")
        bank.attrs.update({"NX_class": "NXdata", "signal": "counts", "axes": ["py", "px", "tof"]})
        made = bank.create_dataset("counts", data=data, chunks=(2, 8, 25), compression="gzip")
        made.attrs["interpretation"] = "spectrum"
        bank["tof"] = np.linspace(0, 2e4, 51)
        bank["tof"].attrs["units"] = "us"
        bank["px"] = np.arange(8) * 0.01
    found = opened(tmp_path / "a.nxs", group="entry/bank1")
    counts = found["counts"]
    assert counts.dims == ("py", "px", "tof")
    assert found["tof_edges"].attrs == {"units": "us"}
    np.testing.assert_array_equal(counts.isel(px=3, tof=slice(20, 30)), data[:, 3, 20:30])
    again = opened(tmp_path / "a.nxs", group="entry/bank1")["counts"]
    np.testing.assert_array_equal(again.nearfield.reduce(sum=True)["sum"], data.sum((0, 1)))
