"""openPMD series of several files, constant components, grids and units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import nearfield
from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.index import files, open_stack, openpmd
from nearfield.reductions.reading import blocks

NAME = "/data/%T/meshes/E/x"
SHAPE = (3, 4, 5)
DATA = np.random.default_rng(1).normal(size=(12, *SHAPE))
GRID = {
    "axisLabels": np.array([b"z", b"y", b"x"]),
    "gridSpacing": np.array([0.5, 1.0, 2.0]),
    "gridGlobalOffset": np.array([10.0, 0.0, -1.0]),
    "gridUnitSI": 1e-6,
    "geometry": b"cartesian",
    "dataOrder": b"C",
    "timeOffset": 0.5,
    "unitDimension": np.array([1.0, 1, -3, -1, 0, 0, 0]),
}


def iteration(
    path: Path,
    number: int,
    field: np.ndarray | float,
    grid: dict[str, Any] | None = None,
    **component: Any,
) -> None:
    with h5py.File(path, "a") as file:
        file.attrs.update({"openPMD": b"1.1.0", "basePath": b"/data/%T/", "meshesPath": b"meshes/"})
        at = file.create_group(f"data/{number}")
        at.attrs.update({"time": number * 2.0, "timeUnitSI": 1e-15})
        if isinstance(field, float):
            made = at.create_group("meshes/E/x")
            made.attrs.update({"value": field, "shape": np.array(SHAPE, "u8")})
        else:
            made = at.create_dataset("meshes/E/x", data=field)
        made.attrs.update({"unitSI": 1e9, "position": np.array([0, 0, 0.5], "f16"), **component})
        at["meshes/E"].attrs.update({**GRID, **(grid or {})})


def series(folder: Path, pattern: str = "data{:06d}.h5") -> None:
    for number, field in zip(range(0, 120, 10), DATA, strict=True):
        iteration(folder / pattern.format(number), number, field)


@pytest.mark.parametrize(
    ("written", "asked"), [("data{:06d}.h5", "data%06T.h5"), ("d_{}.h5", "d_%T.h5")]
)
def test_files_of_one_iteration_each_are_one_stack(
    tmp_path: Path, written: str, asked: str
) -> None:
    series(tmp_path, written)
    (tmp_path / "d_x.h5").write_text("none")
    found = xr.open_dataset(tmp_path / asked, engine="nearfield", array=NAME)["E_x"]
    np.testing.assert_array_equal(found, DATA)
    assert found.dims == ("iteration", "z", "y", "x")
    assert found["iteration"].values.tolist() == list(range(0, 120, 10))
    np.testing.assert_allclose(found["time"], (np.arange(0, 240, 20) + 0.5) * 1e-15)
    np.testing.assert_allclose(found["z"], (10 + 0.5 * np.arange(3)) * 1e-6)
    np.testing.assert_allclose(found["x"], (-1 + 2 * (np.arange(5) + 0.5)) * 1e-6)
    assert found["x"].attrs == {"units": "m"}
    assert found.attrs["units"] == "1e+09 V/m"
    assert found.attrs["unitSI"] == 1e9
    assert found.attrs["gridSpacing"] == [0.5, 1.0, 2.0]
    result = nearfield.reduce(str(tmp_path / asked), array=NAME, mean=True, by="iteration",
                              bins=[0, 50, 110])  # fmt: skip
    np.testing.assert_allclose(result["mean"], [DATA[:5].mean(0), DATA[5:].mean(0)])
    assert result.attrs["signal_units"] == "1e+09 V/m"
    assert result.attrs["source_file_count"] == 12
    assert {"x", "y", "z"} <= set(result.coords)
    # The only array of a file names itself.
    np.testing.assert_array_equal(open_stack(tmp_path / asked).shape, DATA.shape)


class Counted:
    def __init__(self, inner: Any) -> None:
        self.inner, self.calls = inner, 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self.inner(*arguments)


def test_a_file_more_is_seen_beside_a_kept_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "FRESH", -1.0)
    series(tmp_path)
    path = tmp_path / "data%06T.h5"
    assert open_stack(path, NAME).shape[0] == 12
    indexed: list[str] = []
    inner = openpmd.datasets

    def counted(*asked: Any) -> Any:
        indexed.append("")
        return inner(*asked)

    monkeypatch.setattr(openpmd, "datasets", counted)
    monkeypatch.setattr(openpmd, "record_of", counted_records := Counted(openpmd.record_of))
    first = xr.open_dataset(path, engine="nearfield", array=NAME)
    assert not indexed
    assert counted_records.calls == 12
    second = xr.open_dataset(path, engine="nearfield", array=NAME)
    assert counted_records.calls == 12
    xr.testing.assert_identical(first.coords.to_dataset(), second.coords.to_dataset())
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "FRESH", -1.0)
    with h5py.File(tmp_path / "data000010.h5", "a") as file:
        file["data/10"].attrs["time"] = 77.0
    third = xr.open_dataset(path, engine="nearfield", array=NAME)
    assert third["time"].values[1] == 77.5 * 1e-15
    iteration(tmp_path / "data000500.h5", 500, DATA[0])
    assert open_stack(path, NAME).shape[0] == 13
    (tmp_path / "data000500.h5").unlink()
    (tmp_path / "data000010.h5").unlink()
    assert open_stack(path, NAME).shape[0] == 11


def test_a_constant_component_is_its_value_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    expected = np.zeros((3, *SHAPE))
    for number, field in enumerate([2.5, DATA[0], 4.0]):
        iteration(path, number, field)
        expected[number] = field
    found = xr.open_dataset(path, engine="nearfield", array=NAME)["E_x"]
    np.testing.assert_array_equal(found, expected)
    result = nearfield.reduce(path, array=NAME, sum=True, max=True)
    np.testing.assert_array_equal(result["sum"], expected.sum(0))
    one = xr.open_dataset(path, engine="nearfield", array="/data/0/meshes/E/x")["E_x"]
    np.testing.assert_array_equal(one, expected[0])
    assert one.dims == ("z", "y", "x")
    # What h5py has to read has constants among it too.
    with h5py.File(path, "a") as file:
        del file["data/1/meshes/E/x"]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(file["data/1/meshes/E"].id, b"x", h5py.h5t.IEEE_F64LE,
                               h5py.h5s.create_simple(SHAPE), plist)  # fmt: skip
        h5py.Dataset(made)[:] = DATA[0]
        h5py.Dataset(made).attrs["unitSI"] = 1e9
    stack = open_stack(path, NAME)
    assert "compact" in str(stack.refused)
    read = np.concatenate([block.copy() for _, block in blocks(stack, 0, 3)])
    np.testing.assert_array_equal(read.reshape(expected.shape), expected)


def test_a_moving_window_has_a_place_for_each_iteration(tmp_path: Path) -> None:
    for number in range(3):
        moved = {"gridGlobalOffset": np.array([10.0 + number, 0, -1])}
        iteration(tmp_path / "a.h5", number, DATA[number], moved)
    found = xr.open_dataset(tmp_path / "a.h5", engine="nearfield", array=NAME)["E_x"]
    assert "z" not in found.coords
    expected = (10 + np.arange(3)[:, None] + 0.5 * np.arange(3)) * 1e-6
    np.testing.assert_allclose(found["z_position"], expected)
    assert found["z_position"].dims == ("iteration", "z")
    np.testing.assert_allclose(found["y"], np.arange(4) * 1e-6)
    mean = nearfield.reduce(tmp_path / "a.h5", array=NAME, mean=True)["mean"]
    np.testing.assert_allclose(mean, DATA[:3].mean(0))


@pytest.mark.parametrize(
    ("grid", "dims", "units"),
    [
        ({"dataOrder": b"F"}, ("x", "y", "z"), "m"),
        ({"geometry": b"cylindrical"}, ("z", "y", "x"), None),
        ({"axisLabels": np.array([b"r", b"z"])}, ("dim_0", "dim_1", "dim_2"), None),
        ({"axisLabels": np.array([b"x", b"x", b"x"])}, ("dim_0", "dim_1", "dim_2"), None),
        ({"gridSpacing": np.array([1.0])}, ("dim_0", "dim_1", "dim_2"), None),
        ({"gridUnitSI": np.array([1.0, 2.0, 3.0])}, ("z", "y", "x"), "m"),
    ],
)
def test_a_grid_is_as_its_attributes_say(
    tmp_path: Path, grid: dict[str, Any], dims: tuple[str, ...], units: str | None
) -> None:
    iteration(tmp_path / "a.h5", 0, DATA[0], grid)
    found = xr.open_dataset(tmp_path / "a.h5", engine="nearfield", array=NAME)["E_x"]
    plain = ("module", "y", "x")
    dims = plain if dims[0] == "dim_0" else dims
    assert found.dims == ("iteration", *dims)
    if dims == plain and "gridUnitSI" not in grid:
        assert "x" not in found.coords
        return
    assert found["x"].attrs.get("units") == units
    scale = grid.get("gridUnitSI", np.full(3, 1e-6))
    along = {"z": (10, 0.5, 0, scale[0]), "x": (-1, 2, 0.5, scale[2])}
    for label, (offset, step, position, unit) in along.items():
        size = SHAPE[dims.index(label)]
        expected = (offset + step * (np.arange(size) + position)) * unit
        np.testing.assert_allclose(found[label], expected)


def test_what_does_not_belong_together_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no file has such a name"):
        open_stack(tmp_path / "data%T.h5", NAME)
    with pytest.raises(DataFileError, match="its folder cannot be read"):
        open_stack(tmp_path / "no/data%T.h5", NAME)
    iteration(tmp_path / "data1.h5", 1, DATA[0])
    iteration(tmp_path / "data2.h5", 2, DATA[1], unitSI=1.0)
    with pytest.raises(DataFileError, match=r"unitSI is 1\.0, and 1000000000\.0"):
        open_stack(tmp_path / "data%T.h5", NAME)
    (tmp_path / "data1.h5").replace(tmp_path / "data3.h5")
    with pytest.raises(DataFileError, match="iteration 1 comes after iteration 2"):
        open_stack(tmp_path / "data%T.h5", NAME)
    with pytest.raises(UsageError, match="is no component of an iteration"):
        open_stack(tmp_path / "data%T.h5", "entry/data")
