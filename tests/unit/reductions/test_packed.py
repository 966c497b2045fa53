"""Packed arrays, as xarray writes them: told for frames, undone for coordinates."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

import nearfield
from nearfield.reductions.packed import PackedValuesWarning

STORED = np.arange(5 * 3 * 4, dtype="i2").reshape(5, 3, 4)


def zarr(folder: Path, **packing: float) -> Path:
    pytest.importorskip("zarr")
    times = xr.Variable("t", np.array([0.0, 0.5, np.nan, 1.5, 2.0]), {"units": "s"})
    made = xr.Dataset({"image": (("t", "y", "x"), STORED, packing)}, {"t": times})
    encoding = {"t": {"dtype": "i2", "scale_factor": 0.5, "add_offset": -1.0, "_FillValue": -9}}
    made.to_zarr(folder / "a.zarr", consolidated=False, encoding=encoding)
    return folder / "a.zarr"


def hdf5(folder: Path, **packing: float) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file.attrs.update(NX_class="NXdata", signal="image", axes=["t", "y", "x"])
        file["image"] = STORED
        file["image"].attrs.update(packing)
        file["t"] = np.array([2, 3, -9, 5, 6], "i2")
        file["t"].attrs.update(
            scale_factor=0.5, add_offset=np.array([-1.0]), _FillValue=np.int16(-9), units="s"
        )
    return folder / "a.h5"


@pytest.mark.parametrize("write", [zarr, hdf5])
def test_coordinates_are_what_they_stand_for(tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        warnings.simplefilter("error", PackedValuesWarning)
        found = nearfield.reduce(write(tmp_path), array="image", roi=(slice(0, 1), slice(0, 1)))
    np.testing.assert_array_equal(found["t"], [0.0, 0.5, np.nan, 1.5, 2.0])
    assert found["t"].attrs["units"] == "s"


@pytest.mark.parametrize("write", [zarr, hdf5])
@pytest.mark.parametrize(
    ("packing", "words"),
    [
        ({"scale_factor": 0.001, "add_offset": 0}, r"packed \(scale_factor=0.001\)"),
        ({"scale_factor": 1.0, "add_offset": 273.15}, r"packed \(add_offset=273.15\)"),
    ],
)
def test_packed_frames_are_told(  # type: ignore[no-untyped-def]
    tmp_path: Path, write, packing: dict[str, float], words: str
) -> None:
    with pytest.warns(PackedValuesWarning, match=words):
        found = nearfield.reduce(write(tmp_path, **packing), array="image", mean=True)
    np.testing.assert_array_equal(found["mean"], STORED.mean(0))


def test_a_fill_value_is_told_unless_it_is_left_out(tmp_path: Path) -> None:
    path = hdf5(tmp_path, _FillValue=np.int16(7))
    with pytest.warns(PackedValuesWarning, match="invalid=7 leaves that value out"):
        nearfield.reduce(path, array="image", sum=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PackedValuesWarning)
        nearfield.reduce(path, array="image", sum=True, invalid=7)
