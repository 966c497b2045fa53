"""Azimuthal integration agrees with pyFAI's own, frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.geometry import azimuthal_of
from nearfield.reductions.kernels._protocol import Frames

pyfai = pytest.importorskip("pyFAI.integrator.azimuthal")
SHAPE = (120, 130)
DATA = np.random.default_rng(0).poisson(5, (4, *SHAPE)).astype("u2")
BAD = np.zeros(SHAPE, "i1")
BAD[30:40] = 1


def geometry() -> Any:
    return pyfai.AzimuthalIntegrator(
        dist=0.1, poni1=6e-3, poni2=7e-3, pixel1=1e-4, pixel2=1e-4, wavelength=1e-10
    )


def integrated(asked: dict[str, Any], data: np.ndarray = DATA) -> tuple[Any, dict[str, np.ndarray]]:
    made = azimuthal_of({"geometry": geometry(), "bins": 60, **asked}, SHAPE)
    frames = Frames(len(data), SHAPE, data.dtype, ("y", "x"))
    state = made.start(frames, 0, len(data))
    made.add(state, data.reshape(len(data), -1), 0, 0)
    return made, dict(made.finish("it", frames, state))


@pytest.mark.parametrize("split", ["no", "bbox", "full"])
@pytest.mark.parametrize(
    ("unit", "span"), [("q_A^-1", (0.2, 0.5)), ("2th_deg", (1.0, 4.0)), ("r_mm", None)]
)
def test_as_pyfai(unit: str, span: tuple[float, float] | None, split: str) -> None:
    asked = {"unit": unit, "split": split, "range": span, "mask": BAD, "polarization": 0.95}
    made, found = integrated({**asked, "error": "poisson"})
    for frame in range(4):
        right = geometry().integrate1d(
            DATA[frame],
            60,
            unit=unit,
            radial_range=span,
            mask=BAD,
            polarization_factor=0.95,
            method=(split, "csr", "cython"),
            error_model="poisson",
        )
        np.testing.assert_allclose(made.radial, right.radial, rtol=1e-6)
        there = ~np.isnan(found["it"][frame])
        assert there.sum() > 50
        np.testing.assert_allclose(found["it"][frame][there], right.intensity[there], rtol=1e-6)
        np.testing.assert_allclose(found["it_sigma"][frame][there], right.sigma[there], rtol=1e-6)


def test_whole_numbers_and_corrected_frames_give_the_same() -> None:
    _, whole = integrated({"mask": BAD})
    _, floats = integrated({"mask": BAD}, DATA.astype("f8"))
    np.testing.assert_allclose(whole["it"], floats["it"], rtol=1e-12)


def test_a_pixel_without_a_value_is_left_out_of_its_bin() -> None:
    data = np.where(BAD > 0, np.nan, DATA.astype("f8"))
    _, some = integrated({}, data)
    _, masked = integrated({"mask": BAD})
    there = ~np.isnan(masked["it"])
    np.testing.assert_allclose(some["it"][there], masked["it"][there], rtol=1e-6)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"radius": 3}, "radius is not understood"),
        ({"unit": "q"}, "unknown unit 'q'"),
        ({"error": "gauss"}, "error='gauss' is not understood"),
        ({"mask": np.ones(3)}, r"mask is \(3,\), a frame \(120, 130\)"),
        ({"geometry": 7}, "int is no geometry of pyFAI"),
        ({"bins": "many"}, "bins='many' is no number of bins"),
        ({"split": "pixel"}, "unknown split 'pixel'"),
        ({"solid_angle": "no"}, "solid_angle='no': it is True or False"),
        ({"polarization": 5}, "polarization=5 is no factor from -1 to 1"),
        ({"polarization": "s"}, "polarization='s' is no factor"),
        ({"range": (100, 200)}, "no pixel is between 100 and 200 1/angstrom"),
        ({"bins": 0}, "bins=0: it takes 1 to 100,000"),
        ({"bins": 10**9}, "bins=1000000000: it takes 1 to 100,000"),
        ({"range": (5, 1)}, r"range=\(5, 1\) is not a lower and a higher radial value"),
        ({"range": 5}, "range=5 is not a lower"),
    ],
)
def test_what_is_not_understood_is_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        integrated(asked)


def test_a_geometry_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.poni").write_text("Distance: far\n")
    with pytest.raises(DataFileError, match=r"a\.poni': no geometry of pyFAI"):
        azimuthal_of(tmp_path / "a.poni", SHAPE)
