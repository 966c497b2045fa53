"""Real files made hostile in one way each: the scan goes on, and says what is so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.catalogue import ScanReport
from nearfield.datasets import MAX_TITLE, Dataset

NEXUS = {
    "xrr_dataset.h5": "DIP_1",
    "nexus-example.hdf5": "entry",
    "AgBehenate_228.hdf5": "entry",
    "Sample_Image_2021-03-16_095.hdf5": "entry1",
    "focus2007n001335.hdf": "entry1",
}
ALL = (*NEXUS, "example-femm-3d.h5")

Spoil = Callable[[Any, Any], None]
"""Given the file and its first entry."""
Scanned = Callable[..., tuple[ScanReport, Dataset]]


@pytest.fixture
def scanned(
    real_data: Path,
    folder: Path,
    rescan: Callable[..., ScanReport],
    datasets: Callable[[], list[Dataset]],
) -> Scanned:
    """Copies a real file, spoils the copy and scans it beside a good one."""

    def make(name: str, spoil: Spoil) -> tuple[ScanReport, Dataset]:
        target = folder / f"spoiled-{name}"
        shutil.copyfile(real_data / name, target)
        target.chmod(0o644)
        with h5py.File(target, "r+") as file:
            spoil(file, file[NEXUS.get(name, "/")])
        with h5py.File(folder / "good.h5", "w") as file:
            file["x"] = np.arange(3)
        report = rescan()
        assert report.registered == 2
        (found,) = [d for d in datasets() if d.files[0].path == str(target)]
        # A record is JSON that every reader takes, whatever the file holds.
        assert Dataset.model_validate_json(found.model_dump_json()) == found
        return report, found

    return make


def replace(group: Any, name: str, value: Any) -> None:
    if name in group:
        del group[name]
    group[name] = value


def set_title(value: Any) -> Spoil:
    return lambda file, entry: replace(entry, "title", value)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("part", [0.2, 0.5, 0.999])
def test_cut_short(
    real_data: Path,
    folder: Path,
    rescan: Callable[..., ScanReport],
    name: str,
    part: float,
) -> None:
    whole = (real_data / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * part)])
    report = rescan()
    assert report.registered == 0
    (failure,) = report.failed
    assert failure.path == str(folder / name)
    assert "truncated" in failure.reason


@pytest.mark.parametrize("name", NEXUS)
def test_a_title_of_100_kb(scanned: Scanned, name: str) -> None:
    report, found = scanned(name, set_title("x" * 100_000))
    assert found.title is not None
    assert len(found.title) == MAX_TITLE
    assert any("title" in warning and "cut" in warning for warning in found.warnings)
    assert report.failed == ()


@pytest.mark.parametrize("name", NEXUS)
def test_a_title_with_a_script_stays_text(scanned: Scanned, name: str) -> None:
    evil = '<script>alert("1")</script>'
    _, found = scanned(name, set_title(evil))
    assert found.title is not None
    assert found.title.startswith(evil)


@pytest.mark.parametrize("name", NEXUS)
def test_latin_1(scanned: Scanned, name: str) -> None:
    _, found = scanned(name, set_title(np.bytes_("Größe 5 µm".encode("latin-1"))))
    assert found.title is not None
    assert found.title.startswith("Größe 5 µm")


@pytest.mark.parametrize("name", ALL)
def test_links_in_a_ring(scanned: Scanned, name: str) -> None:
    def spoil(file: Any, entry: Any) -> None:
        entry["hard"] = file["/"]
        entry["soft"] = h5py.SoftLink(f"{entry.name}/soft")
        entry["pair"] = h5py.SoftLink(f"{entry.name}/other")
        entry["other"] = h5py.SoftLink(f"{entry.name}/pair")
        entry["self"] = h5py.ExternalLink(Path(file.filename).name, "/")

    report, found = scanned(name, spoil)
    assert report.failed == ()
    assert found.arrays[0].signal
    assert len(found.files) == 1


@pytest.mark.parametrize("name", NEXUS)
def test_without_any_mark_of_a_default_plot(scanned: Scanned, name: str) -> None:
    """Before 2014 nobody wrote ``default``; some wrote no ``signal`` either."""

    def strip(_: str, thing: Any) -> None:
        for mark in ("default", "signal", "axes", "axis", "interpretation"):
            if mark in thing.attrs:
                del thing.attrs[mark]

    def spoil(file: Any, entry: Any) -> None:
        strip("", file)
        file.visititems(strip)

    report, found = scanned(name, spoil)
    assert report.failed == ()
    marked = [array.path for array in found.arrays if array.signal]
    # A field called "data" in an NXdata is shown; nothing else is guessed.
    assert marked == [] or marked[0].endswith("/data")


@pytest.mark.parametrize("name", NEXUS)
def test_values_of_the_wrong_type(scanned: Scanned, name: str) -> None:
    def spoil(file: Any, entry: Any) -> None:
        for field, value in (("title", 5.5), ("start_time", [1, 2]), ("end_time", 3j)):
            replace(entry, field, value)
        replace(entry, "definition", np.zeros((2, 2)))
        entry.attrs["default"] = np.float32("nan")
        file.attrs["default"] = np.zeros(3)
        file.attrs["instrument"] = h5py.Empty("f4")

    report, found = scanned(name, spoil)
    assert report.failed == ()
    assert found.title != "5.5"


@pytest.mark.parametrize("name", ALL)
def test_units_that_are_no_text(scanned: Scanned, name: str) -> None:
    def no_text(_: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset):
            thing.attrs["units"] = np.float64("nan")
            thing.attrs["unit"] = np.array([[1, 2]])

    report, found = scanned(name, lambda file, entry: file.visititems(no_text))
    assert report.failed == ()
    # openPMD has its units elsewhere.
    assert {a.units for a in found.arrays} <= {None, "T"}


@pytest.mark.parametrize("name", NEXUS)
def test_a_time_without_a_zone(scanned: Scanned, name: str) -> None:
    def spoil(file: Any, entry: Any) -> None:
        replace(entry, "start_time", "2020-02-03T04:05:06")
        replace(entry, "end_time", np.bytes_(b"2020-02-03T04:05:05Z"))

    _, found = scanned(name, spoil)
    assert found.start_time == datetime(2020, 2, 3, 4, 5, 6)  # noqa: DTZ001
    assert found.start_time.tzinfo is None
    assert found.end_time == datetime(2020, 2, 3, 4, 5, 5, tzinfo=UTC)
    assert any("is before start_time" in warning for warning in found.warnings)


@pytest.mark.parametrize("name", NEXUS)
def test_names_that_are_not_utf_8(scanned: Scanned, name: str) -> None:
    def spoil(file: Any, entry: Any) -> None:
        entry.create_group(b"gr\xf6\xdfe")[b"\xff"] = np.zeros(3)
        plot = entry.create_group("plot")
        plot.attrs["NX_class"] = "NXdata"
        plot[b"\xfe"] = np.zeros(3)
        plot[b"\xfe"].attrs["signal"] = 1
        plot[b"\xfc"] = np.zeros(3)
        plot[b"\xfc"].attrs["axis"] = 1
        entry.attrs["default"] = "plot"
        file.attrs["default"] = entry.name.strip("/")
        notes = entry.create_group("notes")
        notes.attrs["NX_class"] = "NXcollection"
        notes[b"\xfd"] = 5.0

    report, found = scanned(name, spoil)
    assert report.failed == ()
    assert any("\\xff" in array.path for array in found.arrays)
    assert found.arrays[0].path == f"/{NEXUS[name]}/plot/\\xfe"
    assert [axis and axis.name for axis in found.arrays[0].axes] == ["\\xfc"]


@pytest.mark.parametrize(
    "value",
    [np.bytes_(b"x" * 3_000_000), np.zeros(3_000_000, "S1"), "y" * 3_000_000],
    ids=["fixed", "array", "variable"],
)
def test_huge_values(
    folder: Path,
    rescan: Callable[..., ScanReport],
    datasets: Callable[[], list[Dataset]],
    value: Any,
) -> None:
    # Attributes of more than 64 kB are in dense storage, which only the newer format has.
    with h5py.File(folder / "huge.h5", "w", libver="latest") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        for thing in (file, entry):
            thing.attrs.update(default=value, title=value, comment=value)
        replace(entry, "title", value)
        data = entry.create_dataset("data", data=np.zeros((2, 3)))
        data.attrs.update(units=value, axes=value)
    assert rescan().failed == ()
    (found,) = datasets()
    assert len(found.model_dump_json()) < 20_000
    assert found.arrays[0].shape == (2, 3)
