"""A file whose values lie in other files: the scan, which may read more than its owner, reads none.

Whoever may put a file into a scanned folder may name any other file of the machine in it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
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


@pytest.mark.parametrize("make", [external, virtual, virtual_scalar])
def test_no_field_of_a_facility_rule_does_either(folder: Path, secret: Path, make: Make) -> None:
    write(folder / "a.nxs", secret, make)
    found = read_file(str(folder / "a.nxs"), ("/entry/title", "/entry/definition"))
    assert found.fields == {"/entry/definition": "NXsas"}
