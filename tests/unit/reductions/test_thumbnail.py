"""A small picture of a stack: means of blocks, without dead pixels; and as a PNG file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

import nearfield
from nearfield.errors import UsageError
from nearfield.reductions import plan

RANDOM = np.random.default_rng(2)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TASK", 5000)


def stored(folder: Path, data: np.ndarray) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file["d"] = data
    return folder / "a.h5"


def right(data: np.ndarray, gone: np.ndarray, step: int) -> np.ndarray:
    """Block by block."""
    height, width = (-(-n // step) for n in data.shape[1:])
    found = np.full((height, width), np.nan)
    for y in range(height):
        for x in range(width):
            box = np.s_[:, y * step : (y + 1) * step, x * step : (x + 1) * step]
            if (~gone[box]).any():
                found[y, x] = data[box].astype("f8")[~gone[box]].mean()
    return found


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "u8", "f4"])
@pytest.mark.parametrize(("edge", "step"), [(20, 2), (10, 4), (500, 1), (1, 39)])
def test_means_of_blocks_without_dead_pixels(
    tmp_path: Path, kind: str, edge: int, step: int
) -> None:
    data = RANDOM.integers(0, 200, (17, 30, 39)).astype(kind)
    gone = np.zeros(data.shape, bool)
    if kind in ("u2", "u8", "f4"):
        gone[:, 4:8] = True
        gone |= RANDOM.random(data.shape) < 0.1
        mark = np.nan if kind == "f4" else np.iinfo(kind).max - int(RANDOM.integers(0, 2))
        data[gone] = mark
    found = nearfield.reduce(stored(tmp_path, data), thumbnail=edge)
    expected = right(data, gone, step)
    assert found["thumbnail"].dims == ("thumbnail_y", "thumbnail_x")
    np.testing.assert_allclose(found["thumbnail"], expected, rtol=1e-12)
    limits = np.percentile(expected[np.isfinite(expected)], (1, 99.5))
    np.testing.assert_allclose(found["thumbnail_limits"], limits)
    assert found["thumbnail_limits"]["limit"].values.tolist() == ["low", "high"]


def test_a_png_in_the_colours_of_the_catalogue(tmp_path: Path) -> None:
    data = np.zeros((5, 64, 128), "u2")
    data[:, 16:48, 32:96] = 1000
    data[:, 0, :5] = 65535
    data[:, 20, 40] = 60000  # one bright pixel does not make all others dark
    found = nearfield.reduce(stored(tmp_path, data), thumbnail=True, mean=True)
    picture = Image.open(io.BytesIO(found.nearfield.png()))
    assert picture.size == (256, 128)
    colours = np.asarray(picture.convert("RGB"))
    assert colours[64, 128].tolist() == [253, 231, 37]
    assert colours[0, 0].tolist() == colours[-1, -1].tolist() == [13, 8, 60]
    assert Image.open(io.BytesIO(found.nearfield.png("mean", edge=32))).size == (32, 16)


def test_a_picture_for_each_group(tmp_path: Path) -> None:
    data = RANDOM.integers(0, 9, (6, 8, 8)).astype("u2")
    found = nearfield.reduce(stored(tmp_path, data), thumbnail=4, by={"shot": [0, 1, 0, 1, 0, 1]})
    assert found["thumbnail"].shape == (2, 4, 4)
    expected = data[1::2].reshape(3, 4, 2, 4, 2).mean((0, 2, 4))
    np.testing.assert_allclose(found["thumbnail"][1], expected)


def test_a_stack_of_dead_pixels_is_a_dark_picture(tmp_path: Path) -> None:
    found = nearfield.reduce(stored(tmp_path, np.full((2, 8, 8), 65535, "u2")), thumbnail=True)
    assert np.isnan(found["thumbnail_limits"]).all()
    assert Image.open(io.BytesIO(found.nearfield.png())).convert("RGB").getpixel((3, 3)) == (
        13,
        8,
        60,
    )


@pytest.mark.parametrize("edge", [0, 5000, 2.5, "large"])
def test_sizes_that_are_refused(tmp_path: Path, edge: Any) -> None:
    with pytest.raises(UsageError, match="its longer side is of 1 to 4096 pixels"):
        nearfield.reduce(stored(tmp_path, np.zeros((2, 8, 8))), thumbnail=edge)


def test_what_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "lines.h5"
    with h5py.File(path, "w") as file:
        file["d"] = np.zeros((4, 3, 8, 8))
    flat = nearfield.reduce(path, sum=True, roi=(slice(2),))
    with pytest.raises(UsageError, match="'roi' is no picture"):
        flat.nearfield.png("roi")
    with pytest.raises(UsageError, match="'thumbnail' is no picture"):
        flat.nearfield.png()
    with pytest.raises(UsageError, match=r"the frames are \(8,\), a picture has two axes"):
        nearfield.reduce(path, frame_ndim=1, thumbnail=True)
