"""One pass over a file gives what h5py and numpy give, and only when somebody looks."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import xarray as xr

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack


def reduce_path(path: Path, name: str, **asked: object) -> xr.Dataset:
    return reduce_stack(open_stack(path, name), **asked)


RING = np.hypot(*np.mgrid[-10:10, -16:16]) < 6


@pytest.fixture(params=["contiguous", "bitshuffle", "frames of three"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, np.ndarray]:
    path = tmp_path / "stack.h5"
    data = np.random.default_rng(1).integers(0, 2**16, (50, 20, 32)).astype("u2")
    how = {
        "contiguous": {},
        "bitshuffle": {"chunks": (1, 20, 32), **hdf5plugin.Bitshuffle(cname="lz4")},
        "frames of three": {"chunks": (3, 20, 32), **hdf5plugin.Bitshuffle(cname="lz4")},
    }[request.param]
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, **how)
    return path, data


def test_sum_region_and_masks(stack: tuple[Path, np.ndarray]) -> None:
    path, data = stack
    found = reduce_path(
        path, "data", sum=True, roi=(slice(2, 9), slice(-5, None)), masks={"ring": RING}
    )
    wide = data.astype("u8")
    assert found["sum"].dims == ("y", "x")
    np.testing.assert_array_equal(found["sum"], wide.sum(0))
    assert found["roi"].dims == ("frame",)
    np.testing.assert_array_equal(found["roi"], wide[:, 2:9, -5:].sum((1, 2)))
    np.testing.assert_array_equal(found["masks"].sel(mask="ring"), wide[:, RING].sum(1))


def test_nothing_is_read_before_somebody_looks(stack: tuple[Path, np.ndarray]) -> None:
    path, _ = stack
    found = reduce_path(path, "data", sum=True)
    assert "..." in repr(found)
    assert found["sum"].shape == (20, 32)
    path.unlink()
    with pytest.raises(DataFileError, match="no such file"):
        found["sum"].load()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "nothing to reduce to"),
        ({"roi": (slice(90, 99),)}, "has no pixel"),
        ({"roi": {"a": {"z": slice(1)}}}, "no dimension z"),
        ({"masks": np.ones((3, 3))}, r"mask .0. is \(3,\)"),
        ({"median": True}, "unknown reduction 'median'"),
    ],
)
def test_what_does_not_fit_is_refused(
    stack: tuple[Path, np.ndarray], asked: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        reduce_path(stack[0], "data", **asked)


def test_corrected_frames(stack: tuple[Path, np.ndarray]) -> None:
    path, data = stack
    rng = np.random.default_rng(5)
    dark, flat = rng.random((20, 32)), rng.random((20, 32)) + 0.5
    flat[3, 3] = 0
    monitor = rng.random(50) + 1
    found = reduce_path(
        path,
        "data",
        sum=True,
        mean=True,
        masks=RING,
        dark=dark,
        flat=flat,
        bad=np.eye(20, 32),
        saturation=60_000,
        monitor=monitor,
    )
    right = np.where(data >= 60_000, np.nan, data.astype("f8"))
    right[:, np.eye(20, 32) > 0] = np.nan
    with np.errstate(divide="ignore"):
        right = (right - dark) / np.where(flat == 0, np.nan, flat) / monitor[:, None, None]
    there = ~np.isnan(right).all(0)
    np.testing.assert_allclose(
        found["sum"], np.where(there, np.nansum(right, 0), np.nan), rtol=1e-12
    )
    assert np.isnan(found["mean"].values[3, 3])
    np.testing.assert_allclose(found["masks"][:, 0], np.nansum(right[:, RING], 1), rtol=1e-12)


def test_groups_of_frames(stack: tuple[Path, np.ndarray]) -> None:
    path, data = stack
    delay = np.random.default_rng(6).integers(0, 5, 50) * 1.5
    found = reduce_path(path, "data", mean=True, max=True, by={"delay": delay})
    assert found["mean"].dims == ("delay", "y", "x")
    for value in np.unique(delay):
        some = data[delay == value]
        np.testing.assert_allclose(found["mean"].sel(delay=value), some.astype("f8").mean(0))
        np.testing.assert_array_equal(found["max"].sel(delay=value), some.max(0))


def test_bins_of_frames(stack: tuple[Path, np.ndarray]) -> None:
    path, data = stack
    energy = xr.DataArray(np.linspace(8.0, 9.0, 50), dims="frame", name="energy")
    energy.attrs["units"] = "keV"
    edges = [8.0, 8.25, 8.5, 9.5, 10.0]
    found = reduce_path(path, "data", sum=True, min=True, by=energy, bins=edges)
    assert found["energy"].attrs["units"] == "keV"
    inside = [(energy >= 8.0) & (energy < 8.25), (energy >= 8.5) & (energy < 9.5)]
    np.testing.assert_array_equal(found["sum"][0], data[inside[0]].astype("u8").sum(0))
    np.testing.assert_array_equal(found["min"][2], data[inside[1]].min(0))
    assert (found["sum"][3] == 0).all()
    assert np.isnan(found["min"][3]).all()  # no frame, no least value


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"sum": True, "dark": np.ones(3)}, r"dark is \(3,\), a frame \(20, 32\)"),
        ({"sum": True, "monitor": np.ones(3)}, r"monitor is \(3,\), the frames \(50,\)"),
        ({"sum": True, "by": np.ones(3)}, "the stack has 50 frames"),
        ({"sum": True, "bins": [1, 2]}, "bins= needs by="),
        ({"sum": True, "by": np.ones(50), "bins": [2, 1]}, "the edges must grow"),
        ({"histogram": np.array(["2026", "2027"], "M8[Y]")}, "edges of a histogram are datetime64"),
        ({"std": "yes"}, "std='yes' is not understood"),
    ],
)
def test_corrections_and_groups_that_do_not_fit(
    stack: tuple[Path, np.ndarray], asked: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        reduce_path(stack[0], "data", **asked)
