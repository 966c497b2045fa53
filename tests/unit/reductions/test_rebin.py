"""Blocks of pixels and frames beside numpy: a smaller stack, exact for integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import nearfield
from nearfield.errors import UsageError
from nearfield.reductions import plan, reading
from nearfield.reductions.kernels import rebinning

RANDOM = np.random.default_rng(12)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks and blocks end within a block of frames."""
    monkeypatch.setattr(plan, "TASK", 300)
    monkeypatch.setattr(reading, "BLOCK", 300)


def stored(folder: Path, data: np.ndarray, **how: Any) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        group = file.create_group("d")
        group.attrs.update(NX_class="NXdata", signal="data", axes=["time", "y", "x"])
        group.create_dataset("data", data=data, chunks=(2, *data.shape[1:]), **how)
        group["time"] = np.arange(len(data)) * 0.5
        group["time"].attrs["units"] = "s"
        group["y"] = np.arange(data.shape[1]) * 0.1
    return folder / "a.h5"


def right(data: np.ndarray, n: int, y: int, x: int, how: str) -> np.ndarray:
    """By xarray; what is not full is filled up with NaN first."""
    wide = xr.DataArray(data.astype("f8"), dims=("n", "y", "x"))
    made = wide.coarsen(n=n, y=y, x=x, boundary="pad")
    return np.where(made.count() > 0, getattr(made, how)(), np.nan)


@pytest.mark.parametrize("kind", ["u1", "i2", "u4", "f4"])
@pytest.mark.parametrize("steps", [(1, 2, 2), (1, 3, 5), (4, 1, 1), (7, 4, 3), (100, 100, 100)])
def test_blocks_of_any_size(tmp_path: Path, kind: str, steps: tuple[int, int, int]) -> None:
    data = RANDOM.integers(0, 100, (31, 9, 10)).astype(kind)
    if kind == "f4":
        data[RANDOM.random(data.shape) < 0.3] = np.nan
    path = stored(tmp_path, data)
    found = nearfield.reduce(path, rebin=steps, count=True)
    np.testing.assert_array_equal(found["rebin"], right(data, *steps, "sum"))
    np.testing.assert_array_equal(
        found["rebin_count"], np.nan_to_num(right(data * 0 + 1, *steps, "sum"))
    )
    by_name = dict(zip(("time", "y", "x"), steps, strict=True))
    mean = nearfield.reduce(path, rebin={**by_name, "mean": True})["rebin"]
    np.testing.assert_allclose(mean, right(data, *steps, "mean"), rtol=1e-12)


def test_names_coordinates_and_units(tmp_path: Path) -> None:
    path = stored(tmp_path, np.ones((10, 6, 5), "u2"))
    found = nearfield.reduce(path, rebin=(4, 2), mean=True)
    assert found["rebin"].dims == ("time", "rebin_y", "rebin_x")
    assert found["rebin"].dtype == "u8"
    assert found["mean"].dims == ("y", "x")
    np.testing.assert_allclose(found["rebin_y"], [0.15, 0.45])
    assert found["rebin_x"].values.tolist() == [0.5, 2.5, 4.0]
    assert found["rebin_x"].attrs["units"] == "pixels"
    assert found["rebin"].values[0].tolist() == [[8, 8, 4], [4, 4, 2]]
    slow = nearfield.reduce(path, rebin={"time": 4}, frames=slice(2, None))["rebin"]
    assert slow.dims == ("rebin_time", "rebin_y", "rebin_x")
    assert slow["rebin_time"].values.tolist() == [1.75, 3.75]
    assert slow["rebin_time"].attrs["units"] == "s"


def test_large_integers_are_exact(tmp_path: Path) -> None:
    data = RANDOM.integers(0, 2**58, (20, 4, 4), "i8")
    data[:, 0, 0] *= -1
    found = nearfield.reduce(stored(tmp_path, data), rebin=(5, 2, 2))["rebin"]
    assert found.dtype == "i8"
    sums = data.reshape(4, 5, 2, 2, 2, 2).sum((1, 3, 5))
    np.testing.assert_array_equal(found, sums)


def test_bad_pixels_are_no_part_of_a_mean(tmp_path: Path) -> None:
    data = np.full((3, 4, 4), 7, "u2")
    data[:, 0, 0], data[:, 2:, 2:] = 65535, 65535
    found = nearfield.reduce(
        stored(tmp_path, data), rebin={"y": 2, "x": 2, "mean": True}, invalid=True, count=True
    )
    assert found["rebin"].values[1].tolist() == [[7, 7], [7, pytest.approx(np.nan, nan_ok=True)]]
    assert found["rebin_count"].values[1].tolist() == [[3, 4], [4, 0]]


def test_frames_that_cannot_be_read(tmp_path: Path) -> None:
    data = RANDOM.integers(1, 9, (12, 4, 4)).astype("u2")
    path = stored(tmp_path, data, compression="gzip")
    with h5py.File(path) as file:
        places = [file["d/data"].id.get_chunk_info(n).byte_offset for n in range(2, 5)]
    with path.open("r+b") as raw:
        for place in places:  # frames 4 to 9
            raw.seek(place)
            raw.write(b"\xff" * 20)
    with pytest.warns(UserWarning, match="6 of 12"):
        found = nearfield.reduce(path, rebin=(4, 4, 4), errors="collect").load()["rebin"]
    gone = found.attrs["missing_value"]
    assert found.values.ravel().tolist() == [data[:4].sum(), gone, data[10:].sum()]


def test_what_is_done_by_now_has_all_blocks(tmp_path: Path) -> None:
    data = np.ones((30, 4, 4), "u2")
    found = nearfield.reduce(stored(tmp_path, data), rebin={"time": 10}, workers=1)
    seen = []
    found.nearfield.compute(progress=lambda *_: seen.append(found.nearfield.partial()["rebin"]))
    assert {one.shape for one in seen} == {(3, 4, 4)}
    gone = found["rebin"].attrs["missing_value"]
    assert (seen[0].values[-1] == gone).all()
    assert (seen[-1] == 10).all()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"z": 2}, "rebin: there is no dimension z"),
        ((2, 2, 2, 2), "does not tell the blocks"),
        (0, "does not tell the blocks"),
        ((2, 1.5), "does not tell the blocks"),
        ("two", "does not tell the blocks"),
        (None, "nothing to reduce to"),
    ],
)
def test_blocks_that_are_not_understood(tmp_path: Path, asked: Any, words: str) -> None:
    path = stored(tmp_path, np.ones((2, 4, 4), "u2"))
    with pytest.raises(UsageError, match=words):
        nearfield.reduce(path, rebin=asked)


def test_a_result_that_is_too_large_is_told_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(tmp_path, np.ones((20, 4, 4), "u2"))
    monkeypatch.setattr(rebinning, "MOST", 1000)
    with pytest.raises(UsageError, match=r"2.56e-06 GB: 20 by 4 by 4 values\n  larger blocks"):
        nearfield.reduce(path, rebin=1)
    assert nearfield.reduce(path, rebin=2)["rebin"].shape == (20, 2, 2)


@pytest.mark.parametrize("kind", ["u8", "i8"])
def test_means_of_large_integers_whose_sum_does_not_fit(tmp_path: Path, kind: str) -> None:
    limits = np.iinfo(kind)
    data = RANDOM.integers(limits.max - 2**60, limits.max, (5, 4, 4), kind)
    asked = {"y": 2, "x": 4, "time": 3, "mean": True}
    found = nearfield.reduce(stored(tmp_path, data), rebin=asked)["rebin"]
    np.testing.assert_allclose(found, right(data, 3, 2, 4, "mean"), rtol=1e-15)


def test_frames_of_one_value(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["d"] = np.arange(10)
    found = nearfield.reduce(tmp_path / "b.h5", array="d", frame_ndim=0, rebin={"frame": 4})
    assert found["rebin"].values.tolist() == [6, 22, 17]
