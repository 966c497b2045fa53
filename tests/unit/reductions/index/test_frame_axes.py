"""What makes a frame where nobody says it: NeXus does, and a file without it has old habits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.reductions.index import open_stack

DATA = np.arange(20, dtype="u2").reshape(4, 5)


def plotted(path: Path, *units: str | None, **attrs: Any) -> Path:
    """An NXdata with an array of two axes, and the units of these."""
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update(NX_class="NXdata", signal="d", **attrs)
        group["d"] = DATA
        for name, unit, size in zip(attrs.get("axes", ()), units, DATA.shape, strict=False):
            if unit is not None:
                group[name] = np.arange(size)
                group[name].attrs["units"] = unit
    return path


@pytest.mark.parametrize(
    ("units", "attrs", "frame"),
    [
        ((), {}, (4, 5)),
        (("mm", "um"), {"axes": ["y", "x"]}, (4, 5)),
        (("1/angstrom", "1/nm"), {"axes": ["qy", "qx"]}, (4, 5)),
        (("pixel", "pixel"), {"axes": ["row", "column"]}, (4, 5)),
        (("s", "1/angstrom"), {"axes": ["time", "q"]}, (5,)),
        (("eV", "eV"), {"axes": ["incident", "emitted"]}, (5,)),
        (("deg", "deg"), {"axes": ["omega", "two_theta"]}, (5,)),
        ((None, None), {"axes": ["scan", "q"]}, (5,)),
        ((None, "mm"), {"axes": [".", "x"]}, (5,)),
        (("mm", "mm"), {"axes": ["y", "x"], "interpretation": "spectrum"}, (5,)),
        (("s", "1/angstrom"), {"axes": ["time", "q"], "interpretation": "image"}, (4, 5)),
        (("mm", "mm"), {"axes": ["y", "x"], "interpretation": "scalar"}, ()),
    ],
)
def test_two_axes(
    tmp_path: Path, units: tuple[str | None, ...], attrs: dict[str, Any], frame: tuple[int, ...]
) -> None:
    path = plotted(tmp_path / "a.nxs", *units, **attrs)
    for name in (None, "entry/data", "/entry/data/d"):
        assert open_stack(path, name).frame_shape == frame, name
    assert open_stack(path, frame_ndim=1).frame_shape == (5,)


def test_the_dataset_itself_says_it_before_its_group(tmp_path: Path) -> None:
    path = plotted(tmp_path / "a.nxs", interpretation="spectrum")
    with h5py.File(path, "r+") as file:
        file["entry/data/d"].attrs["interpretation"] = "image"
    assert open_stack(path).frame_shape == (4, 5)


def test_spectra_of_a_map(tmp_path: Path) -> None:
    path = plotted(tmp_path / "a.nxs", interpretation="spectrum")
    with h5py.File(path, "r+") as file:
        del file["entry/data/d"]
        file["entry/data/d"] = np.zeros((2, 3, 7))
    assert open_stack(path).outer == (2, 3)


@pytest.mark.parametrize(("sizes", "frame"), [("xy", (4, 5)), ("x", (5,))])
def test_of_a_detector(tmp_path: Path, sizes: str, frame: tuple[int, ...]) -> None:
    """Strip detectors have pixels of one size, and write a line for each time."""
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        group = file.create_group("entry/detector")
        group.attrs["NX_class"] = "NXdetector"
        group["data"] = DATA
        for axis in sizes:
            group[f"{axis}_pixel_size"] = 0.1
    assert open_stack(tmp_path / "a.nxs", "entry/detector/data").frame_shape == frame


def test_a_plot_that_links_into_another_file(tmp_path: Path) -> None:
    """The group that the link is in says it, not the one that it leads to."""
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["d"] = DATA
    path = plotted(tmp_path / "a.nxs")
    with h5py.File(path, "r+") as file:
        del file["entry/data/d"]
        file["entry/data/d"] = h5py.ExternalLink("data.h5", "d")
    assert open_stack(path).frame_shape == (4, 5)
    assert open_stack(tmp_path / "data.h5").frame_shape == (5,)
