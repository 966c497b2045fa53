"""``da.nearfield.reduce`` of values that are in memory: what the variable is by now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from nearfield.errors import UsageError
from nearfield.reductions import reading

DATA = np.random.default_rng(5).integers(0, 2**16, (50, 20, 30)).astype("u2")


@pytest.fixture
def array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> xr.DataArray:
    monkeypatch.setattr(reading, "BLOCK", 7 * DATA[0].nbytes)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plot = file.create_group("plot")
        plot.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": ["delay", "x", "y"]})
        plot.create_dataset("data", data=DATA, chunks=(1, 20, 30)).attrs["units"] = "counts"
        plot["delay"] = np.linspace(-1, 4, 50)
    return xr.open_dataset(tmp_path / "a.h5", engine="nearfield")["data"]


def _seen(array: xr.DataArray) -> xr.DataArray:
    assert array.values.shape == array.shape
    return array


def _written(array: xr.DataArray) -> xr.DataArray:
    array[0] = 5
    return array


CHANGED: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "looked at": _seen,
    "loaded": lambda a: a.load(),
    "written to": _written,
    "shifted": lambda a: a.shift(delay=1),
    "cut, then looked at": lambda a: _seen(a[3:20, 4:]),
    "looked at, then cut": lambda a: _seen(a)[3:40:2, ::-1, 4:9],
    "turned round": lambda a: _seen(a)[::-1],
    "lines of it": lambda a: _seen(a[:, 3]),
    "in the other order of bytes": lambda a: a.load().astype(">u2", keep_attrs=True),
}


@pytest.mark.parametrize("how", CHANGED)
def test_what_it_is_by_now(array: xr.DataArray, how: str) -> None:
    changed = CHANGED[how](array)
    frame_ndim = 2 if "order" in how else None  # xarray drops what the engine said of it
    found = changed.nearfield.reduce(frame_ndim=frame_ndim, sum=True, max=True, workers=2)
    expected = changed.sum("delay", skipna=True)
    assert found["sum"].dims == expected.dims
    np.testing.assert_array_equal(found["sum"], expected)
    np.testing.assert_array_equal(found["max"], changed.max("delay"))
    assert found["sum"].attrs["units"] == "counts"
    roi = changed.nearfield.reduce(frame_ndim=frame_ndim, roi=())["roi"]
    np.testing.assert_array_equal(roi["delay"], changed["delay"])
    assert found.attrs["source_file"] == ""


def test_one_frame(array: xr.DataArray) -> None:
    found = array[7].load().nearfield.reduce(sum=True, roi={"y": slice(3)})
    assert found["sum"].dims == ("x", "y")
    np.testing.assert_array_equal(found["sum"], DATA[7])
    assert found["roi"].values.tolist() == [DATA[7, :, :3].sum()]


def test_what_was_computed_needs_the_number_of_axes(array: xr.DataArray) -> None:
    computed = array * 0.5
    with pytest.raises(UsageError, match="'data', delay, x, y, nobody knows which dimensions"):
        computed.nearfield.reduce(sum=True)
    found = computed.nearfield.reduce(frame_ndim=2, mean=True, dark=np.ones((20, 30)))
    np.testing.assert_allclose(found["mean"], DATA.mean(0) / 2 - 1)
    assert computed.nearfield.reduce(frame_ndim=1, mean=True)["mean"].shape == (30,)


@pytest.mark.parametrize("dims", [("y", "x", "delay"), ("delay", "y", "x"), ("x", "delay", "y")])
def test_frames_that_are_no_longer_the_last_dimensions(
    array: xr.DataArray, dims: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="nobody knows"):
        array.load().transpose(*dims).nearfield.reduce(sum=True)


def test_frames_and_groups(array: xr.DataArray) -> None:
    found = array.load().nearfield.reduce(frames=slice(2, 40, 3), min=True, by="delay")
    np.testing.assert_array_equal(found["min"], DATA[2:40:3])
    assert found["frames_read"].values.tolist() == [1] * 13


def test_a_geometry_in_the_file_is_not_known(array: xr.DataArray) -> None:
    with pytest.raises(UsageError, match="in memory"):
        array.load().nearfield.reduce(azimuthal="file")


def test_frames_of_another_number_of_axes_are_opened_so(array: xr.DataArray) -> None:
    with pytest.raises(UsageError, match="opened with frames of 2 axes"):
        array.nearfield.reduce(frame_ndim=1, sum=True)
