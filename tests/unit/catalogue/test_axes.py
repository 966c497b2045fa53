"""Axes in each way in which NeXus files have named them, and in none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.catalogue.metadata import read_file
from nearfield.datasets import ArrayInfo


@pytest.fixture
def signal(tmp_path: Path) -> Callable[[Callable[[Any], None]], ArrayInfo]:
    """The signal of an NXdata with ``d`` of 3 by 4 and what the function writes besides."""

    def make(write: Callable[[Any], None]) -> ArrayInfo:
        with h5py.File(tmp_path / "made.h5", "w") as file:
            entry = file.create_group("entry")
            entry.attrs["NX_class"] = "NXentry"
            plot = entry.create_group("plot")
            plot.attrs["NX_class"] = "NXdata"
            plot["d"] = np.zeros((3, 4))
            plot["x"], plot["y"], plot["z"] = np.arange(4.0), np.arange(3.0), np.arange(4.0)
            plot["x"].attrs["units"] = "mm"
            write(plot)
        return next(a for a in read_file(str(tmp_path / "made.h5")).arrays if a.signal)

    return make


Signal = Callable[[Callable[[Any], None]], ArrayInfo]


def names(array: ArrayInfo) -> list[str | None]:
    return [axis and axis.name for axis in array.axes]


@pytest.mark.parametrize(
    ("said", "want"),
    [
        (["y", "x"], ["y", "x"]),
        (np.array([b"y", b"x"]), ["y", "x"]),
        (["y", "."], ["y", None]),
        (["."], []),
        ([".", "."], []),
        ("y:x", ["y", "x"]),
        ("[y,x]", ["y", "x"]),
        ("y", ["y", None]),
        (["gone", "x"], ["gone", "x"]),
        (["y", "x", "extra"], ["y", "x"]),
        (5, []),
        (np.nan, []),
        ("", []),
    ],
)
def test_attribute_of_the_group(signal: Signal, said: Any, want: list[str | None]) -> None:
    def write(plot: Any) -> None:
        plot.attrs.update(signal="d", axes=said)

    assert names(signal(write)) == want


@pytest.mark.parametrize(
    ("indices", "want"),
    [
        ({"x_indices": 1, "y_indices": 0}, ["y", "x"]),
        ({"x_indices": np.array([1], "u4"), "y_indices": np.array([0])}, ["y", "x"]),
        ({"x_indices": "1", "y_indices": b"0"}, ["y", "x"]),
        ({"x_indices": 7, "y_indices": 0}, ["y", None]),
        ({"x_indices": np.nan}, ["x", "y"]),
    ],
)
def test_indices_say_which_dimension(signal: Signal, indices: dict[str, Any], want: Any) -> None:
    def write(plot: Any) -> None:
        plot.attrs.update(signal="d", axes=["x", "y"], **indices)

    assert names(signal(write)) == want


@pytest.mark.parametrize("said", ["y:x", "y,x", "[y, x]", np.array([b"y", b"x"])])
def test_attribute_of_the_signal(signal: Signal, said: Any) -> None:
    def write(plot: Any) -> None:
        plot["d"].attrs.update(signal=1, axes=said)

    found = signal(write)
    assert names(found) == ["y", "x"]
    assert [axis and axis.units for axis in found.axes] == [None, "mm"]
    assert [axis and axis.path for axis in found.axes] == ["/entry/plot/y", "/entry/plot/x"]


@pytest.mark.parametrize("number", [int, str, lambda n: np.bytes_(str(n)), np.float32])
def test_attribute_of_each_field(signal: Signal, number: Any) -> None:
    def write(plot: Any) -> None:
        plot["d"].attrs["signal"] = number(1)
        plot["y"].attrs["axis"] = number(1)
        plot["x"].attrs["axis"] = number(2)
        plot["z"].attrs.update(axis=number(2), primary=number(1))

    assert names(signal(write)) == ["y", "z"]


@pytest.mark.parametrize("said", ["0", "9", "1,2", "one", -1, np.nan, 10**18])
def test_numbers_that_are_no_dimension(signal: Signal, said: Any) -> None:
    def write(plot: Any) -> None:
        plot["d"].attrs["signal"] = 1
        plot["x"].attrs["axis"] = said

    assert signal(write).axes == ()


def test_units_that_are_none(signal: Signal) -> None:
    def write(plot: Any) -> None:
        plot.attrs.update(signal="d", axes=["y", "x"])
        plot["y"].attrs["units"] = np.nan
        plot["x"].attrs["units"] = np.bytes_(b"\xb5m")
        plot["d"].attrs["units"] = np.float64("nan")

    found = signal(write)
    assert found.units is None
    assert [axis and axis.units for axis in found.axes] == [None, "µm"]


@pytest.mark.parametrize(
    ("attributes", "units", "axes"),
    [
        ({}, "V/m", [("x", "m"), ("y", "m")]),
        ({"dataOrder": "F"}, "V/m", [("y", "m"), ("x", "m")]),
        ({"gridUnitSI": 1e-6}, "V/m", [("x", "1e-06 m"), ("y", "1e-06 m")]),
        ({"gridUnitSI": np.array([1.0, 2.0])}, "V/m", [("x", "m"), ("y", "2 m")]),
        ({"gridUnitSI": np.nan}, "V/m", [("x", None), ("y", None)]),
        ({"gridUnitSI": "one"}, "V/m", [("x", None), ("y", None)]),
        ({"geometry": "thetaMode"}, "V/m", [("x", None), ("y", None)]),
        ({"axisLabels": ["x"]}, "V/m", []),
        ({"unitDimension": np.zeros(7)}, None, [("x", "m"), ("y", "m")]),
        ({"unitDimension": np.array([1.0, 0, -1, 0, 0, 0, 0])}, "m s^-1", None),
        ({"unitDimension": "long"}, None, None),
    ],
)
def test_openpmd(tmp_path: Path, attributes: dict[str, Any], units: Any, axes: Any) -> None:
    path = tmp_path / "pmd.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(openPMD="1.1.0", basePath="/data/%T/", meshesPath="meshes/")
        record = file.create_group("data/1/meshes/E")
        said = {"axisLabels": ["x", "y"], "gridUnitSI": 1.0, "geometry": "cartesian"}
        dimension = {"unitDimension": np.array([1.0, 1, -3, -1, 0, 0, 0])}
        record.attrs.update({**said, **dimension, **attributes})
        record["x"] = np.zeros((3, 4))
        record["x"].attrs["unitSI"] = 1.0
    (found,) = read_file(str(path)).arrays
    assert found.units == units
    if axes is not None:
        assert [(axis.name, axis.units) for axis in found.axes if axis] == axes
