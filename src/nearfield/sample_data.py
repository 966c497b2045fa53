"""Synthetic data files for trying things out. Nothing in them was measured, and they say so.

Needs h5py and numpy (the extra ``reduce``), imported when called.
"""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nearfield.errors import BlockedError
from nearfield.extras import install_extra

FRAMES, ROWS, COLUMNS = 40, 128, 128
_START = "2024-05-01T10:00:00+02:00"
_END = "2024-05-01T10:10:00+02:00"


def make_sample_data(folder: Path) -> list[Path]:
    """Write three datasets below ``folder``; a file that is there and right stays as it is.

    Size and time of an input are what a run's record knows it by: the demo, started again, must
    not change them. Other files of the same names are replaced.

    Returns the root files: a detector stack (NXsas, 40 x 128 x 128 uint16 in gzip chunks of one
    frame), a master that refers to two data files by external links and a virtual dataset
    (NXmx-like), and an openPMD mesh.

    Raises:
        BlockedError: h5py or numpy is missing.
    """
    try:
        import h5py  # noqa: F401  # told here, not halfway
        import numpy  # noqa: F401
    except ImportError as error:
        raise BlockedError(
            f"sample data cannot be made: {error.name} is not installed",
            hint=install_extra("reduce"),
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="nearfield-") as temporary:
        fresh = Path(temporary)
        roots = [
            make_stack(fresh / "synthetic_saxs_stack.h5"),
            make_master(fresh / "synthetic_series_master.h5"),
            make_openpmd(fresh / "synthetic_field.h5"),
        ]
        for file in fresh.iterdir():
            _put(file, folder / file.name)
    return [folder / root.name for root in roots]


def _put(made: Path, wanted: Path) -> None:
    if wanted.is_file() and filecmp.cmp(made, wanted, shallow=False):
        return
    # Whole or not at all: a start that is cut short leaves no half file to be scanned.
    new = wanted.with_name(f".{wanted.name}.new")
    shutil.copyfile(made, new)
    new.replace(wanted)


def ring_frames(frames: int = FRAMES, *, first: int = 0) -> Any:
    """A ring that grows from frame to frame, on flat noise.

    Returns counts of shape (frames, 128, 128), uint16. The same ``first`` gives the same counts
    everywhere.
    """
    import numpy as np

    random = np.random.default_rng(20240501 + first)
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    radius = np.hypot(y - (ROWS - 1) / 2, x - (COLUMNS - 1) / 2)
    numbers = np.arange(first, first + frames)[:, None, None]
    ring = 200.0 * np.exp(-(((radius - 25.0 - 0.5 * numbers) / 4.0) ** 2))
    return random.poisson(ring + 2.0).astype(np.uint16)


def make_stack(path: Path, frames: int = FRAMES) -> Path:
    """A NeXus file after the application definition NXsas with a stack of detector frames."""
    import h5py
    import numpy as np

    with h5py.File(path, "w") as file:
        entry, data = _entry(
            file, "synthetic ring pattern: detector stack for trying Nearfield", "NXsas"
        )
        frames_of = data.create_dataset(
            "frames",
            data=ring_frames(frames),
            chunks=(1, ROWS, COLUMNS),
            compression="gzip",
            compression_opts=4,
        )
        frames_of.attrs["units"] = "counts"
        data.attrs["signal"] = "frames"
        data.attrs["axes"] = ["time", "y", "x"]
        time = data.create_dataset("time", data=np.arange(frames) * 15.0)
        time.attrs["units"] = "s"
        detector = _group(entry["instrument"], "detector", "NXdetector")
        for name, value, unit in (
            ("distance", 1500.0, "mm"),
            ("x_pixel_size", 0.172, "mm"),
            ("y_pixel_size", 0.172, "mm"),
            ("beam_center_x", (COLUMNS - 1) / 2, "pixel"),
            ("beam_center_y", (ROWS - 1) / 2, "pixel"),
        ):
            detector.create_dataset(name, data=value).attrs["units"] = unit
        detector["data"] = frames_of
        mono = _group(entry["instrument"], "monochromator", "NXmonochromator")
        mono.create_dataset("wavelength", data=1.0).attrs["units"] = "angstrom"
    return path


def make_master(path: Path, files: int = 2, frames: int = 10) -> Path:
    """A master file; its frames are in ``<stem>_data_00000N.h5`` beside it, as with EIGER."""
    import h5py

    shape = (files * frames, ROWS, COLUMNS)
    # create_virtual_dataset would write the time of its making, and no two files were the same.
    sources = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    sources.set_obj_track_times(False)
    names = []
    for number in range(1, files + 1):
        name = f"{path.stem.removesuffix('_master')}_data_{number:06d}.h5"
        with h5py.File(path.with_name(name), "w") as file:
            file.create_dataset(
                "entry/data/data",
                data=ring_frames(frames, first=(number - 1) * frames),
                chunks=(1, ROWS, COLUMNS),
                compression="gzip",
            )
        names.append(name)
        first = (number - 1) * frames
        part = h5py.h5s.create_simple(shape)
        part.select_hyperslab((first, 0, 0), (frames, ROWS, COLUMNS))
        source = h5py.h5s.create_simple((frames, ROWS, COLUMNS))
        sources.set_virtual(part, name.encode(), b"/entry/data/data", source)
    with h5py.File(path, "w") as file:
        _, data = _entry(file, "synthetic series: master with two data files", "NXmx")
        for number, name in enumerate(names, 1):
            data[f"data_{number:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
        virtual = data.create_dataset("data", shape, "uint16", dcpl=sources)
        virtual.attrs["units"] = "counts"
        data.attrs["signal"] = "data"
    return path


def make_openpmd(path: Path) -> Path:
    """An openPMD 1.1.0 file with one iteration of a three-component mesh on 16³."""
    import h5py
    import numpy as np

    with h5py.File(path, "w") as file:
        for name, value in (
            ("openPMD", "1.1.0"),
            ("basePath", "/data/%T/"),
            ("meshesPath", "meshes/"),
            ("iterationEncoding", "groupBased"),
            ("iterationFormat", "/data/%T/"),
            ("comment", "synthetic field of a dipole: nothing of this was simulated"),
            ("software", "nearfield sample data"),
            ("date", "2024-05-01 10:00:00 +0200"),
        ):
            file.attrs[name] = np.bytes_(value)
        file.attrs["openPMDextension"] = np.uint32(0)
        iteration = file.create_group("data/1")
        for name in ("time", "dt", "timeUnitSI"):
            iteration.attrs[name] = 1.0
        mesh = iteration.create_group("meshes/B")
        axis = np.linspace(-1.0, 1.0, 16)
        x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
        # Kept off zero: a point dipole has no field at its own place.
        r2 = x**2 + y**2 + z**2 + 0.05
        for name, values in (
            ("x", 3 * x * z / r2**2.5),
            ("y", 3 * y * z / r2**2.5),
            ("z", (3 * z**2 - r2) / r2**2.5),
        ):
            component = mesh.create_dataset(name, data=values)
            component.attrs["unitSI"] = 1.0
            component.attrs["position"] = np.zeros(3)
        mesh.attrs["geometry"] = np.bytes_("cartesian")
        mesh.attrs["dataOrder"] = np.bytes_("C")
        mesh.attrs["axisLabels"] = np.array([b"x", b"y", b"z"])
        mesh.attrs["gridSpacing"] = np.full(3, axis[1] - axis[0])
        mesh.attrs["gridGlobalOffset"] = np.full(3, -1.0)
        mesh.attrs["gridUnitSI"] = 1.0
        mesh.attrs["timeOffset"] = 0.0
        mesh.attrs["unitDimension"] = np.array([0.0, 1.0, -2.0, -1.0, 0.0, 0.0, 0.0])
    return path


def _entry(file: Any, title: str, definition: str) -> tuple[Any, Any]:
    """An NXentry with what every measurement says, and its empty NXdata."""
    file.attrs["NX_class"] = "NXroot"
    file.attrs["default"] = "entry"
    entry = _group(file, "entry", "NXentry")
    entry.attrs["default"] = "data"
    entry["title"] = title
    entry["definition"] = definition
    entry["start_time"] = _START
    entry["end_time"] = _END
    instrument = _group(entry, "instrument", "NXinstrument")
    instrument["name"] = "synthetic"
    _group(entry, "sample", "NXsample")["name"] = "synthetic ring"
    return entry, _group(entry, "data", "NXdata")


def _group(parent: Any, name: str, nx_class: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group
