"""``nearfield.reduce`` of real files, of a PID, of files that h5py reads, of files that change."""

from __future__ import annotations

import itertools
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.datasets import DataFile, Dataset
from nearfield.errors import BlockedError, DataFileError, DatasetNotFoundError, UsageError
from nearfield.reductions.index import open_stack

SHARED = Path(__file__).resolve().parents[4] / "shared/data"
DATA = np.random.default_rng(5).integers(0, 99, (30, 5, 7)).astype("u2")


@pytest.fixture
def example() -> Path:
    """A real measurement in NeXus, beside the checkout."""
    file = SHARED / "nexus-example.hdf5"
    if not file.is_file():
        reason = f"the real measurements are not there: {file}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return file


def test_a_real_measurement(example: Path) -> None:
    found = nearfield.reduce(example, mean=True, max=True, roi={"top": (slice(50),)})
    with h5py.File(example) as file:
        data, times = file["entry/data/frames"][()], file["entry/data/sample_times"][()]
    assert found["mean"].dims == ("vertical", "horizontal")
    assert found["roi"].dims == ("sample_times", "region")
    assert found["sample_times"].attrs["units"] == "minutes"
    assert found["mean"].attrs["units"] == "counts"
    np.testing.assert_array_equal(found["sample_times"], times)
    np.testing.assert_allclose(found["mean"], data.mean(0, dtype="f8"), rtol=1e-14)
    np.testing.assert_array_equal(found["max"], data.max(0))
    top = data[:, :50].sum((1, 2), dtype="i8")
    np.testing.assert_array_equal(found["roi"].sel(region="top"), top)


def test_a_real_measurement_by_the_name_of_its_axis(example: Path) -> None:
    edges = [0, 60, 150, 300]
    found = nearfield.reduce(example, sum=True, by="sample_times", bins=edges)
    with h5py.File(example) as file:
        data, times = file["entry/data/frames"][()], file["entry/data/sample_times"][()]
    for at, (low, high) in enumerate(itertools.pairwise(edges)):
        some = data[(times >= low) & (times < high)].sum(0, dtype="i8")
        np.testing.assert_array_equal(found["sum"][at], some)


@pytest.mark.parametrize("signal", [None, "data_000001"])
def test_a_master_file_of_numbered_files(tmp_path: Path, signal: str | None) -> None:
    with h5py.File(tmp_path / "m_master.h5", "w") as master:
        data = master.create_group("entry/data")
        master["entry"].attrs["NX_class"] = "NXentry"
        data.attrs["NX_class"] = "NXdata"
        if signal:
            data.attrs["signal"] = signal
        for number in (1, 2, 3):
            name = f"m_data_{number:06}.h5"
            with h5py.File(tmp_path / name, "w") as file:
                file["entry/data/data"] = DATA[10 * number - 10 : 10 * number]
            data[f"data_{number:06}"] = h5py.ExternalLink(name, "entry/data/data")
    found = nearfield.reduce(tmp_path / "m_master.h5", frames=slice(5, 25), roi=())
    assert found["roi"].dims == ("frame",)
    np.testing.assert_array_equal(found["roi"], DATA[5:25].sum((1, 2)))
    assert found.attrs["source_file_count"] == 4
    one = nearfield.reduce(tmp_path / "m_master.h5", array="entry/data/data_000002", roi=())
    np.testing.assert_array_equal(one["roi"], DATA[10:20].sum((1, 2)))


@pytest.mark.parametrize("frames", [slice(None), slice(4, 21), slice(2, None, 4)])
def test_what_the_index_refuses_is_the_same(tmp_path: Path, frames: slice) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        wide = file.create_dataset("wide", data=DATA.repeat(2, axis=1))
        layout = h5py.VirtualLayout(DATA.shape, "u2")
        layout[:] = h5py.VirtualSource(wide)[:, ::2]
        file.create_virtual_dataset("data", layout)
    assert open_stack(path, "data").refused
    asked = {"sum": True, "roi": (slice(2),), "by": {"n": np.arange(30) % 2}}
    found = nearfield.reduce(path, array="data", frames=frames, **asked)
    assert found.nearfield.cost.bytes_decoded == DATA[frames].nbytes
    np.testing.assert_array_equal(found["roi"], DATA[frames, :2].sum((1, 2)))
    for n in np.unique(np.arange(30)[frames] % 2):
        some = DATA[frames][np.arange(30)[frames] % 2 == n]
        np.testing.assert_array_equal(found["sum"].sel(n=n), some.sum(0))


def test_how_many_axes_make_a_frame(tmp_path: Path) -> None:
    data = np.random.default_rng(5).integers(0, 100, (4, 5, 6)).astype("u2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["stack"], file["image"] = data, data[0]
        file["stack"].attrs["interpretation"] = "spectrum"
    asked = {"sum": True, "roi": (slice(1, 3), slice(2, 6))}
    image = nearfield.reduce(tmp_path / "a.h5", array="image", frame_ndim=2, **asked)
    assert image["sum"].dims == ("y", "x")
    np.testing.assert_array_equal(image["sum"], data[0])
    assert image["roi"].values.tolist() == [data[0, 1:3, 2:6].sum()]
    rows = nearfield.reduce(tmp_path / "a.h5", array="image", sum=True)
    np.testing.assert_array_equal(rows["sum"], data[0].sum(0))
    for axes in (None, 1, 2, 3):
        found = nearfield.reduce(tmp_path / "a.h5", array="stack", frame_ndim=axes, sum=True)
        wanted = data.reshape(-1, *data.shape[3 - (axes or 1) :]).sum(0)
        np.testing.assert_array_equal(found["sum"], wanted)
    with h5py.File(tmp_path / "a.h5") as file:
        found = nearfield.reduce(file["stack"], frame_ndim=2, sum=True)
    np.testing.assert_array_equal(found["sum"], data.sum(0))
    with pytest.raises(UsageError, match="no frames of 4"):
        nearfield.reduce(tmp_path / "a.h5", array="stack", frame_ndim=4, sum=True)


def test_a_file_that_grows_before_it_is_computed_is_told_as_partial(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=DATA[:20], maxshape=(None, 5, 7), chunks=(1, 5, 7))
    os.utime(path, (1e9, 1e9))
    found = nearfield.reduce(path, sum=True, frames=slice(2, None))
    assert found.attrs["partial"] == 0
    with h5py.File(path, "r+") as file:
        file["data"].resize(30, axis=0)
        file["data"][20:] = DATA[20:]
    done = found.nearfield.compute(progress=False)
    np.testing.assert_array_equal(done["sum"], DATA[2:20].sum(0))
    assert (done.attrs["partial"], done.attrs["frame_count"]) == (1, 18)
    assert done.attrs["frames"] == [2, 20, 1]


def test_a_pid_is_asked_of_the_catalogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = DATA
    when = datetime(2024, 5, 1, tzinfo=UTC)
    record = Dataset(
        pid="10.1/scan-17", files=(DataFile(path=str(path), size=9999, mtime=when),), title="Scan"
    )

    def answer(pid: str) -> Dataset:
        if pid != record.pid:
            raise DatasetNotFoundError(pid)
        return record

    monkeypatch.setattr(nearfield, "dataset", answer, raising=False)
    found = nearfield.reduce("10.1/scan-17", sum=True)
    np.testing.assert_array_equal(found["sum"], DATA.sum(0))
    assert (found.attrs["dataset_pid"], found.attrs["dataset_title"]) == ("10.1/scan-17", "Scan")
    with pytest.raises(DatasetNotFoundError):
        nearfield.reduce("10.1/other", sum=True)


def test_damage_is_told_when_a_value_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=DATA, chunks=(1, 5, 7), compression="gzip")
        place = data.id.get_chunk_info(11).byte_offset
    with path.open("r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff" * 8)
    found = nearfield.reduce(path, sum=True)
    with pytest.raises(DataFileError, match="frame 11") as error:
        found["sum"].load()
    assert error.value.path == str(path)
    told = json.loads(nearfield.reduce(path, sum=True, frames=slice(0, 11)).attrs["asked"])
    assert told == {"sum": True}
    some = nearfield.reduce(path, sum=True, frames=slice(0, 11))
    np.testing.assert_array_equal(some["sum"], DATA[:11].sum(0))


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = DATA
    found = nearfield.reduce(path, sum=True)
    hidden = path.rename(tmp_path / "b.h5")
    with pytest.raises(DataFileError, match="there is no such file"):
        found["sum"].load()
    hidden.rename(path)
    np.testing.assert_array_equal(found["sum"].load(), DATA.sum(0))


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    monkeypatch.delitem(sys.modules, "nearfield.reductions.asking")
    with pytest.raises(BlockedError, match="reductions need the package xarray"):
        nearfield.reduce("a.h5", sum=True)
