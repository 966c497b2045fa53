"""The template azimuthal against pyFAI; its cells are executed here, without a kernel."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.errors import UsageError

pyfai = pytest.importorskip("pyFAI.integrator.azimuthal")
Notebook = Any  # the class in conftest.py
EXAMPLE = Path(__file__).resolve().parents[4] / "shared/data/nexus-example.hdf5"
FRAMES = np.random.default_rng(6).poisson(50, (3, 40, 56)).astype("u2")


@pytest.fixture
def azimuthal(notebook: Notebook) -> Notebook:
    notebook.template = "azimuthal"
    return notebook


def write(path: Path, frames: Any = FRAMES, **instead: float | None) -> Path:
    """With a geometry in mm and angstrom; ``None`` leaves a number out."""
    said = {"distance": 200.0, "beam_center_x": 4.3, "beam_center_y": 2.6}
    said |= {"x_pixel_size": 0.172, "y_pixel_size": 0.172}
    with h5py.File(path, "w") as file:
        for name, kind in (("entry", "NXentry"), ("entry/d", "NXdetector"), ("entry/m", "NXbeam")):
            file.create_group(name).attrs["NX_class"] = kind
        for name, value in (said | instead).items():
            if value is not None:
                file[f"entry/d/{name}"] = [value]
                file[f"entry/d/{name}"].attrs["units"] = "mm"
        file["entry/m/incident_wavelength"] = [1.2]
        file["entry/m/incident_wavelength"].attrs["units"] = "angstrom"
        data = file.create_group("entry/data")
        data.attrs.update(
            NX_class="NXdata", signal="frames", axes=["energy", ".", "."][3 - frames.ndim :]
        )
        data["frames"], data["energy"] = frames, [7.0, 7.1, 7.2]
        data["energy"].attrs["units"] = "keV"
    return path


def right(frame: Any, poni: tuple[float, float], bins: int, **geometry: float) -> Any:
    integrator = pyfai.AzimuthalIntegrator(poni1=poni[1], poni2=poni[0], **geometry)
    return integrator.integrate1d(
        frame, bins, unit="q_A^-1", method=("bbox", "csr", "cython"), error_model="poisson"
    )


def check(folder: Path, frames: Any, bins: int, poni: tuple[float, float], **how: float) -> None:
    with h5py.File(folder / "azimuthal.h5") as file:
        data = file[file.attrs["default"]]["azimuthal"]
        found, sigma, q = data["I"][()], data["I_errors"][()], data["q"][()]
        assert data["q"].attrs["units"] == "1/angstrom"
        assert [len(data[axis]) for axis in data.attrs["axes"]] == list(found.shape)
    for number, frame in enumerate(frames):
        one = right(frame, poni, bins, **how)
        there = one.sum_normalization > 0
        np.testing.assert_allclose(q, one.radial, rtol=1e-5)
        np.testing.assert_allclose(found[number][there], one.intensity[there], rtol=1e-5)
        np.testing.assert_allclose(sigma[number][there], one.sigma[there], rtol=1e-5)


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (folder / "summary.json").read_text(), parse_constant=pytest.fail
    )
    return found


def test_a_real_measurement_with_its_own_geometry(azimuthal: Notebook) -> None:
    if not EXAMPLE.is_file():
        reason = f"the real measurements are not there: {EXAMPLE}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    azimuthal.run(EXAMPLE, plots=True)
    with h5py.File(EXAMPLE) as file:
        frames = file["entry/data/frames"][()]
        said = {n: d[0] for n, d in file["entry/instrument/detector"].items() if d.shape == (1,)}
        wavelength = float(file["entry/instrument/monochromator/wavelength"][0]) * 1e-10
    pixel = {"pixel1": said["y_pixel_size"] * 1e-3, "pixel2": said["x_pixel_size"] * 1e-3}
    poni = (said["beam_center_x"] * 1e-3, said["beam_center_y"] * 1e-3)
    dist = said["distance"] * 1e-3
    check(azimuthal.folder, frames, 500, poni, dist=dist, wavelength=wavelength, **pixel)
    told = summary(azimuthal.folder)
    assert (told["frames"], told["beam_from_file"]) == (10, True)
    assert told["beam"] == pytest.approx([99.95, -5.65])
    assert (azimuthal.folder / "azimuthal.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("images", [FRAMES, FRAMES[0]], ids=["stack", "image"])
def test_a_beam_that_is_given(azimuthal: Notebook, tmp_path: Path, images: Any) -> None:
    file = write(tmp_path / "a.h5", images, distance=None)
    with pytest.raises(UsageError, match="distance is missing"):
        azimuthal.run(file)
    azimuthal.run(file, beam=[10.0, 20.0], distance=150.0, bins=60, plots=True)
    frames = images.reshape(-1, 40, 56)
    poni, pixel = (10 * 172e-6, 20 * 172e-6), {"pixel1": 172e-6, "pixel2": 172e-6}
    check(azimuthal.folder, frames, 60, poni, dist=0.15, wavelength=1.2e-10, **pixel)
    told = summary(azimuthal.folder)
    assert (told["beam"], told["beam_from_file"]) == ([10, 20], False)
    assert "(as given)" in told["geometry"]


def test_many_frames_are_a_picture(azimuthal: Notebook, tmp_path: Path) -> None:
    frames = np.concatenate([FRAMES] * 5)
    names = azimuthal.run(write(tmp_path / "a.h5", frames), bins=30, errors=False, plots=True)
    assert names["values"].shape == (15, 30)
    with h5py.File(azimuthal.folder / "azimuthal.h5") as file:
        assert "I_errors" not in file["entry/azimuthal"]
    azimuthal.run(write(tmp_path / "b.h5", frames), bins=30, max_frames=2, unit="2th_deg")
    assert (summary(azimuthal.folder)["frames"], summary(azimuthal.folder)["unit"]) == (2, "deg")


def test_dead_pixels_are_left_out(azimuthal: Notebook, tmp_path: Path) -> None:
    frames = FRAMES.copy()
    frames[:, :, 30:] = 65_535
    azimuthal.run(write(tmp_path / "a.h5", frames), bins=40)
    with h5py.File(azimuthal.folder / "azimuthal.h5") as file:
        found = file["entry/azimuthal/I"][()]
    assert np.nanmax(found) < 200
