"""A file whose values lie in other files: the scan, which may read more than its owner, reads none.

Whoever may put a file into a scanned folder may name any other file of the machine in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from nearfield.catalogue import ScanReport
from nearfield.catalogue.metadata.reader import read_file
from nearfield.datasets import Dataset

SECRET = b"the words of somebody else"
Make = Callable[[Any, Path], None]


def external(entry: Any, secret: Path) -> None:
    entry.create_dataset("title", (1,), f"S{len(SECRET)}", external=[(str(secret), 0, len(SECRET))])


def virtual(entry: Any, secret: Path) -> None:
    layout = h5py.VirtualLayout((1,), f"S{len(SECRET)}")
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "text", (1,))
    entry.create_virtual_dataset("title", layout)


def virtual_scalar(entry: Any, secret: Path) -> None:
    """HDF5 1.14 and 2.0 crash when they read one."""
    space, how, kind = (
        h5s.create(h5s.SCALAR),
        h5p.create(h5p.DATASET_CREATE),
        h5t.C_S1.copy(),
    )
    kind.set_size(len(SECRET))
    how.set_virtual(space, str(secret.with_suffix(".h5")).encode(), b"text", space)
    h5d.create(entry.id, b"title", kind, space, how)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Outside of the scanned folder."""
    place = tmp_path / "private"
    place.mkdir()
    (place / "diary").write_bytes(SECRET)
    with h5py.File(place / "diary.h5", "w") as file:
        file["text"] = [SECRET]
    return place / "diary"


def write(path: Path, secret: Path, make: Make) -> None:
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXsas"
        make(entry, secret)


@pytest.mark.parametrize("make", [external, virtual, virtual_scalar])
def test_no_title_comes_from_another_file(
    folder: Path,
    secret: Path,
    rescan: Callable[..., ScanReport],
    datasets: Callable[[], list[Dataset]],
    make: Make,
) -> None:
    write(folder / "a.nxs", secret, make)
    rescan(workers=0)
    (found,) = datasets()
    assert found.techniques, "its own words are read"
    assert SECRET.decode() not in found.model_dump_json()


def growing(entry: Any, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "a") as file:
        file.create_dataset("frames", (7, 5), "f4", maxshape=(None, 5))
    layout = h5py.VirtualLayout((1, 5), "f4", maxshape=(None, 5))
    source = h5py.VirtualSource(
        str(secret.with_suffix(".h5")), "frames", (7, 5), maxshape=(None, 5)
    )
    ever = h5py.h5s.UNLIMITED
    layout[0:ever, :] = source[0:ever, :]
    entry.create_virtual_dataset("data", layout)


@pytest.mark.parametrize("whose", ["own", "another's", "tape", "pipe"])
def test_a_shape_that_is_in_other_files(
    folder: Path, secret: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """HDF5 would open them, whosever they are, wait for a pipe, or have them fetched from tape."""
    write(folder / "a.nxs", secret, growing)
    goal = secret.with_suffix(".h5")
    if whose in ("tape", "pipe"):
        goal.unlink()
        if whose == "pipe":
            os.mkfifo(goal)
        else:
            with goal.open("wb") as file:
                file.truncate(10**7)
    elif whose == "another's":
        # Of a file in the scanned folder it is the owner that counts.
        real = os.stat
        theirs = str(folder / "a.nxs")

        def stat(path: Any, **options: Any) -> Any:
            found = real(path, **options)
            fields = list(found)
            fields[4] = 64_001
            extra = {"st_blocks": found.st_blocks, "st_mtime_ns": found.st_mtime_ns}
            return os.stat_result(fields, extra) if path == theirs else found

        monkeypatch.setattr("nearfield.hdf5_sources.os.stat", stat)
    read = goal.stat().st_atime_ns
    found = read_file(str(folder / "a.nxs"))
    if whose == "own":
        assert [array.shape for array in found.arrays] == [(7, 5)]
    else:
        assert found.arrays == ()
        assert "other files, which are not opened" in " ".join(found.warnings)
        assert goal.stat().st_atime_ns == read
    assert [link.file for link in found.links] == [str(goal)]


@pytest.mark.parametrize("place", ["external", "virtual"])
def test_nor_do_the_angles_of_a_detector(folder: Path, secret: Path, place: str) -> None:
    numbers = secret.with_name("numbers.h5")
    secret.write_bytes(np.array([1234.5, 1235.5]).tobytes())
    with h5py.File(numbers, "w") as file:
        file["omega"] = [1234.5, 1235.5]
    with h5py.File(folder / "s_master.h5", "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink("s_data_000001.h5", "/entry/data/data")
        file["entry"].attrs["NX_class"] = "NXentry"
        file["entry/data"].attrs["NX_class"] = "NXdata"
        goniometer = file.create_group("entry/sample/goniometer")
        file["entry/sample"].attrs["NX_class"] = "NXsample"
        goniometer.attrs["NX_class"] = "NXtransformations"
        if place == "external":
            goniometer.create_dataset("omega", (2,), "f8", external=[(str(secret), 0, 16)])
        else:
            layout = h5py.VirtualLayout((2,), "f8")
            layout[:] = h5py.VirtualSource(str(numbers), "omega", (2,))
            goniometer.create_virtual_dataset("omega", layout)
    found = read_file(str(folder / "s_master.h5"))
    assert "1234.5" not in found.model_dump_json()


@pytest.mark.parametrize("make", [external, virtual, virtual_scalar])
def test_no_field_of_a_facility_rule_does_either(folder: Path, secret: Path, make: Make) -> None:
    write(folder / "a.nxs", secret, make)
    found = read_file(str(folder / "a.nxs"), ("/entry/title", "/entry/definition"))
    assert found.fields == {"/entry/definition": "NXsas"}
