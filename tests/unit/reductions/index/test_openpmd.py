"""A dataset of every iteration of an openPMD series is one stack."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack

NUMBERS = (0, 50, 100, 1000)


def series(path: Path, shape: tuple[int, ...], **stored: object) -> np.ndarray:
    data = np.random.default_rng(1).normal(size=(len(NUMBERS), *shape))
    with h5py.File(path, "w") as file:
        file.attrs.update({"openPMD": "1.1.0", "basePath": "/data/%T/", "meshesPath": "meshes/"})
        for number, field in zip(NUMBERS, data, strict=True):
            made = file.create_dataset(f"data/{number}/meshes/E/x", data=field, **stored)
            made.attrs["unitSI"] = 1.0
            file[f"data/{number}"].attrs.update({"time": number * 2.0, "timeUnitSI": 1e-15})
    return data


@pytest.mark.parametrize("stored", [{}, {"compression": "gzip", "chunks": True}], ids=str)
@pytest.mark.parametrize("shape", [(11,), (6, 7), (4, 5, 6)], ids=str)
def test_iterations_are_frames_by_number(
    tmp_path: Path, shape: tuple[int, ...], stored: dict[str, object]
) -> None:
    data = series(tmp_path / "a.h5", shape, **stored)
    name = "/data/%T/meshes/E/x"
    found = xr.open_dataset(tmp_path / "a.h5", engine="nearfield", array=name)["E_x"]
    assert found.dims[0] == "iteration"
    np.testing.assert_array_equal(found, data)
    assert found["iteration"].values.tolist() == list(NUMBERS)
    np.testing.assert_allclose(found["time"], np.array(NUMBERS) * 2e-15)
    again = xr.open_dataset(tmp_path / "a.h5", engine="nearfield", array=name)["E_x"]
    mean = again[1:].nearfield.reduce(mean=True)["mean"]
    np.testing.assert_allclose(mean, data[1:].mean(0))
    both = reduce_stack(open_stack(tmp_path / "a.h5", name), max=True)
    np.testing.assert_array_equal(both["max"], data.max(0))


def test_what_is_no_series_is_told(tmp_path: Path) -> None:
    series(tmp_path / "a.h5", (6, 7))
    with pytest.raises(UsageError, match=r"iteration 0 has no '/data/0/meshes/B'"):
        open_stack(tmp_path / "a.h5", "data/%T/meshes/B")
    with pytest.raises(UsageError, match="no iteration has 'dat/%T/meshes/E/x'"):
        open_stack(tmp_path / "a.h5", "dat/%T/meshes/E/x")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["data/2000/meshes/E/x"] = np.zeros((6, 8))
        file["data/2000/meshes/E/x"].attrs["unitSI"] = 1.0
    with pytest.raises(DataFileError, match="its frames are not as those before it"):
        open_stack(tmp_path / "a.h5", "/data/%T/meshes/E/x")
