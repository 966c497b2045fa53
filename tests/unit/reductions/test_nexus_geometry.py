"""A geometry is read from a NeXus file as it stands there, or it is said what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.errors import UsageError
from nearfield.reductions.index import open_stack
from nearfield.reductions.nexus_geometry import of_stack

pytest.importorskip("pyFAI")
WHOLE: dict[str, tuple[float, str | None]] = {
    "det/distance": (0.5, "m"),
    "det/beam_center_x": (20.0, "pixel"),
    "det/beam_center_y": (3.0, "mm"),
    "det/x_pixel_size": (75.0, "um"),
    "det/y_pixel_size": (0.1, "mm"),
    "mono/wavelength": (1.5, "A"),
}


def read(folder: Path, change: dict[str, tuple[float, str | None] | None], **given: Any) -> Any:
    with h5py.File(folder / "a.h5", "w") as file:
        for name, kind in {"": "NXentry", "det": "NXdetector", "mono": "NXmonochromator"}.items():
            file.require_group(f"entry/{name}").attrs["NX_class"] = kind
        file["entry/det/data"] = np.ones((2, 4, 5))
        for name, said in {**WHOLE, **change}.items():
            if said is not None:
                file[f"entry/{name}"] = [said[0]]
                if said[1] is not None:
                    file[f"entry/{name}"].attrs["units"] = said[1]
    return of_stack(open_stack(folder / "a.h5", "entry/det/data"), given)


def test_each_number_in_its_units(tmp_path: Path) -> None:
    found = read(tmp_path, {}).integrator
    assert (found.dist, found.pixel1, found.pixel2) == pytest.approx((0.5, 1e-4, 75e-6))
    assert (found.poni1, found.poni2) == pytest.approx((3e-3, 20 * 75e-6))
    assert found.wavelength == pytest.approx(1.5e-10)


def test_what_is_given_is_taken(tmp_path: Path) -> None:
    made = read(tmp_path, {"det/distance": None}, distance=200, beam=(1, 2), wavelength=2)
    assert "beam at x 1, y 2 pixels (as given), distance 200 mm" in made.about
    assert made.integrator.wavelength == pytest.approx(2e-10)


def test_a_wavelength_of_the_energy(tmp_path: Path) -> None:
    made = read(tmp_path, {"mono/wavelength": None, "mono/energy": (12_398.4198, "eV")})
    assert made.integrator.wavelength == pytest.approx(1e-10)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"distance": 0.23}, "distance=0.23 is less than 1 mm"),
        ({"wavelength": 1e-10}, "wavelength=1e-10 is less than 0.001 angstrom"),
        ({"pixel": (172e-6, 172e-6)}, "is less than 0.001 mm"),
    ],
)
def test_metres_are_not_taken_for_other_units(
    tmp_path: Path, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read(tmp_path, {}, **given)
    assert "not in metres" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"det/distance": None}, "distance is missing"),
        ({"det/beam_center_x": (3.0, None)}, "beam_center_x has no units"),
        ({"det/y_pixel_size": (3.0, "K")}, "in 'K', no length"),
        ({"mono/wavelength": None}, "no wavelength"),
        ({"mono/incident_wavelength": (1.6, "A")}, "wavelengths differ"),
        ({"det/polar_angle": (10.0, "deg")}, "a detector that is turned"),
        ({"det/distance": (0.0, "m")}, "not above 0"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read(tmp_path, change)
