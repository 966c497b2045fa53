"""Axes that are called as something else in the result, and keywords that fit nothing."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import UsageError

DATA = np.random.default_rng(0).integers(0, 100, (6, 8, 9)).astype("u2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A scan over ``q``, as a result of azimuthal integration has a dimension, too."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plot = file.create_group("plot")
        plot.attrs.update(NX_class="NXdata", signal="data", axes=["q", "y", "x"])
        plot["data"], plot["q"], plot["y"] = DATA, np.arange(6) / 2, np.arange(8) * 2.0
        plot.attrs["histogram_low_indices"] = 0
        plot["histogram_low"] = np.arange(6)
    return tmp_path / "a.h5"


def test_the_scan_over_q_and_the_integral_over_q(path: Path) -> None:
    pyfai = pytest.importorskip("pyFAI.integrator.azimuthal")
    geometry = pyfai.AzimuthalIntegrator(
        0.1, 4e-4, 4e-4, pixel1=1e-4, pixel2=1e-4, wavelength=1e-10
    )
    asked = {"geometry": geometry, "bins": 4}
    found = nearfield.reduce(path, azimuthal=asked, roi=())
    assert found["azimuthal"].dims == ("q_axis", "q")
    assert found["roi"].dims == ("q_axis",)
    np.testing.assert_array_equal(found["q_axis"], np.arange(6) / 2)
    with pytest.raises(UsageError, match="by: 'q' is the name of something else"):
        nearfield.reduce(path, azimuthal=asked, sum=True, by="q")


def test_a_coordinate_of_the_histogram(path: Path) -> None:
    found = nearfield.reduce(path, histogram=[0, 50, 100], roi=())
    assert found["histogram_low"].values.tolist() == [0, 50]
    assert found["histogram_low_axis"].values.tolist() == [*range(6)]


def test_groups_called_as_an_axis_of_the_frame(path: Path) -> None:
    found = nearfield.reduce(path, sum=True, by={"y": np.arange(6) // 3}, histogram=[0, 100])
    assert found["sum"].dims == ("y", "y_axis", "x")
    np.testing.assert_array_equal(found["sum"][1], DATA[3:].sum(0))
    np.testing.assert_array_equal(found["y_axis"], np.arange(8) * 2.0)


@pytest.mark.parametrize("name", ["sum", "region", "frames_read", "histogram_value"])
def test_groups_called_as_something_else(path: Path, name: str) -> None:
    asked = {"sum": True, "roi": {"a": ()}, "histogram": [0, 50, 100]}
    with pytest.raises(UsageError, match="something else in the result"):
        nearfield.reduce(path, **asked, by={name: np.arange(6)})


@pytest.mark.parametrize(
    "asked",
    [
        {"var": {"ddof": 0.5}},
        {"std": {"ddof": "1"}},
        {"var": {"dof": 1}},
        {"workers": -1},
        {"saturation": np.nan},
    ],
)
def test_numbers_that_are_none_of_these(path: Path, asked: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"not understood|at least|is NaN"):
        nearfield.reduce(path, sum=True, **asked)
