"""``da.nearfield.reduce`` gives what numpy gives of the same selection, or says why it cannot."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import xarray as xr

from nearfield.errors import UsageError
from nearfield.reductions.lazy_frames import SmallChunksWarning

FRAMES = 50


@pytest.fixture(params=[(1, 20, 30), (6, 20, 30), (4, 7, 11), None], ids=str)
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, np.ndarray]:
    data = np.random.default_rng(5).integers(0, 2**16, (FRAMES, 20, 30)).astype("u2")
    path = tmp_path / "a.h5"
    how = {"chunks": request.param, **hdf5plugin.Bitshuffle()} if request.param else {}
    with h5py.File(path, "w") as file:
        plot = file.create_group("plot")
        # The names are those of other axes elsewhere: they must not be mixed up.
        plot.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": ["delay", "x", "y"]})
        plot.create_dataset("data", data=data, **how)
        plot["delay"] = np.linspace(-1, 4, FRAMES)
        plot["x"] = np.arange(20) * 2.0
    return path, data


def opened(path: Path, **how: object) -> xr.DataArray:
    return xr.open_dataset(path, engine="nearfield", group="plot", **how)["data"]


CUTS = [
    {},
    {"delay": slice(3, 41)},
    {"delay": slice(-7, None)},
    {"x": slice(5, 13)},
    {"delay": slice(1, 2), "x": slice(None, 9), "y": slice(12, 30)},
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_selection_is_reduced_as_numpy_does(
    stack: tuple[Path, np.ndarray], cut: dict[str, slice]
) -> None:
    path, data = stack
    plain = xr.DataArray(data.astype("u8"), dims=("delay", "x", "y")).isel(cut)
    for array in (opened(path).isel(cut), opened(path).isel(cut).chunk(delay=20)):
        found = array.nearfield.reduce(sum=True, roi=(slice(1, 6), slice(2, 9)))
        assert found["sum"].dims == ("x", "y")
        np.testing.assert_array_equal(found["sum"], plain.sum("delay"))
        assert found["roi"].dims == ("delay",)
        np.testing.assert_array_equal(found["roi"], plain[:, 1:6, 2:9].sum(("x", "y")))
        np.testing.assert_array_equal(found["delay"], array["delay"])
        np.testing.assert_array_equal(found["x"], array["x"])
        named = array.nearfield.reduce(roi={"x": slice(0, 3)})["roi"]
        np.testing.assert_array_equal(named, plain[:, :3].sum(("x", "y")))


def test_the_result_tells_what_was_selected(stack: tuple[Path, np.ndarray]) -> None:
    cut = opened(stack[0]).isel(delay=slice(3, 41))
    found = cut.rename(delay="t").nearfield.reduce(roi=(slice(1, 6), slice(2, 9)))
    assert json.loads(found.attrs["selected"]) == {"delay": [3, 41], "x": [0, 20], "y": [0, 30]}
    assert found.attrs["source_file"] == str(stack[0])
    assert found["roi"].dims == ("t",)


def test_chunks_and_their_changes_do_not_matter(stack: tuple[Path, np.ndarray]) -> None:
    path, data = stack
    lazy = opened(path, chunks={})
    for array in (lazy, lazy.chunk(delay=7), lazy.chunk(x=5).chunk(delay=11)):
        np.testing.assert_array_equal(
            array.nearfield.reduce(sum=True)["sum"], data.astype("u8").sum(0)
        )


CHANGED: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "computed with by Dask": lambda a: a.chunk(delay=10) + 1,
    "selected from by Dask": lambda a: a.chunk(delay=10)[3:],
    "transposed": lambda a: a.transpose("y", "x", "delay"),
}


@pytest.mark.parametrize("how", CHANGED)
def test_what_was_changed_is_refused(stack: tuple[Path, np.ndarray], how: str) -> None:
    changed = CHANGED[how](opened(stack[0]))
    with pytest.raises(UsageError, match="no longer, what the engine 'nearfield' opened"):
        changed.nearfield.reduce(sum=True)


@pytest.mark.parametrize("cut", [{"delay": 3}, {"delay": slice(None, None, 2)}, {"x": [1, 2, 4]}])
def test_other_selections_are_refused(
    stack: tuple[Path, np.ndarray], cut: dict[str, object]
) -> None:
    with pytest.raises(UsageError, match="something else than slices of step 1"):
        opened(stack[0]).isel(cut).nearfield.reduce(sum=True)


def test_chunks_of_one_frame_are_told(stack: tuple[Path, np.ndarray]) -> None:
    path, _ = stack
    with pytest.warns(SmallChunksWarning, match="single frames: .*'delay'") as seen:
        opened(path).chunk(delay=1).nearfield.reduce(sum=True)
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(path).chunk(delay=2).nearfield.reduce(sum=True)
        opened(path).nearfield.reduce(sum=True)
