"""Two real files, with the geometry that stands in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.optimize import minimize

from nearfield.errors import UsageError
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack

pyfai = pytest.importorskip("pyFAI.integrator.azimuthal")
SHARED = Path(__file__).resolve().parents[4] / "shared/data"
BEHENATE = 0.1076  # 1/angstrom, between its rings


@pytest.fixture
def real_data() -> Path:
    """The folder of real measurements beside the checkout."""
    if not SHARED.is_dir():
        reason = f"the real measurements are not there: {SHARED}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED


@pytest.mark.parametrize("split", ["no", "bbox", "full"])
def test_frames_with_the_geometry_of_their_own_file(real_data: Path, split: str) -> None:
    path = real_data / "nexus-example.hdf5"
    asked = {"geometry": "file", "bins": 400, "split": split, "error": "poisson"}
    found = reduce_stack(open_stack(path), azimuthal=asked)
    assert "beam at x 99.95, y -5.65 pixels (as the file has it" in found["azimuthal"].geometry
    with h5py.File(path) as file:
        frames = file["entry/data/frames"][()]
        detector = file["entry/instrument/detector"]
        said = {n: float(d[0]) for n, d in detector.items() if d.shape == (1,) and d.dtype == "f8"}
        wavelength = float(file["entry/instrument/monochromator/wavelength"][0])
    right = pyfai.AzimuthalIntegrator(
        dist=said["distance"] * 1e-3,
        poni1=said["beam_center_y"] * 1e-3,
        poni2=said["beam_center_x"] * 1e-3,
        pixel1=said["y_pixel_size"] * 1e-3,
        pixel2=said["x_pixel_size"] * 1e-3,
        wavelength=wavelength * 1e-10,
    )
    assert len(frames) == 10
    for number, frame in enumerate(frames):
        one = right.integrate1d(
            frame, 400, unit="q_A^-1", method=(split, "csr", "cython"), error_model="poisson"
        )
        there = one.sum_normalization > 0
        assert there.sum() > 380
        np.testing.assert_allclose(found["q"], one.radial, rtol=1e-5)
        for name, values in (("azimuthal", one.intensity), ("azimuthal_sigma", one.sigma)):
            mine = found[name].values[number]
            np.testing.assert_allclose(mine[there], values[there], rtol=1e-5)
            assert np.isnan(mine[~there]).all()


def test_the_rings_of_behenate(real_data: Path) -> None:
    """The file's beam x and y are swapped, so the centre is found from the rings themselves."""
    path = real_data / "AgBehenate_228.hdf5"
    with h5py.File(path) as file:
        image = file["entry/data/data"][()]
    x, y = center(np.log1p(np.clip(image, 0, 10_000)))
    asked: dict[str, Any] = {"geometry": "file", "bins": 1200, "split": "no"}
    with pytest.raises(UsageError, match="distance has no units"):
        reduce_stack(open_stack(path), azimuthal=asked)
    asked |= {"distance": 513.8, "pixel": 0.172, "beam": (x, y), "mask": image > 10_000}
    found = reduce_stack(open_stack(path), azimuthal=asked)
    assert "(as given)" in found["azimuthal"].geometry
    q, intensity = found["q"].values, found["azimuthal"].values[0]
    for order in range(2, 12):
        near = np.abs(q - order * BEHENATE) < 0.3 * BEHENATE
        away = near & (np.abs(q - order * BEHENATE) > 0.2 * BEHENATE)
        ring = np.clip(np.nan_to_num(intensity[near] - np.nanmedian(intensity[away])), 0, None)
        ring[ring < ring.max() / 2] = 0
        at = (q[near] * ring).sum() / ring.sum()
        assert at == pytest.approx(order * BEHENATE, rel=0.01)


def center(image: np.ndarray) -> tuple[float, float]:
    """Of rings, (x, y) in pixels from the corner: where pixels of one radius are most alike."""
    height, width = image.shape
    rows, columns = np.mgrid[:height, :width] + 0.5

    def unlike(at: Any, each: int) -> float:
        """Sum of squares about the mean of each radius, of every so many pixels."""
        radius = np.hypot(rows - at[1], columns - at[0]).ravel()[::each]
        values = image.ravel()[::each]
        low = radius.astype(int)
        part = radius - low
        weight = np.bincount(low, 1 - part, low.max() + 2) + np.bincount(low + 1, part)
        total = np.bincount(low, (1 - part) * values, low.max() + 2)
        mean = (total + np.bincount(low + 1, part * values)) / np.maximum(weight, 1e-9)
        return float(((values - (1 - part) * mean[low] - part * mean[low + 1]) ** 2).sum())

    coarse = [(x, y) for x in range(-60, width + 60, 15) for y in range(-60, height + 60, 15)]
    x, y = min(coarse, key=lambda at: unlike(at, 7))
    simplex = np.array([[x, y], [x + 8, y], [x, y + 8]], "f8")
    options = {"initial_simplex": simplex, "xatol": 0.01, "maxiter": 80}
    found = minimize(unlike, (x, y), (1,), method="Nelder-Mead", options=options)
    return float(found.x[0]), float(found.x[1])
