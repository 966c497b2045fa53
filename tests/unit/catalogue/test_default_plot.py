"""Which array a plot of a NeXus file shows first: where ``default`` and ``signal`` lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nearfield.catalogue.metadata import FileMetadata, read_file
from nearfield.catalogue.metadata import walk as walk_module


def group(above: Any, name: str, nx_class: str, **attributes: str) -> Any:
    made = above.create_group(name)
    made.attrs.update(NX_class=nx_class, **attributes)
    return made


def two_plots(path: Path, default: str, root: str | None = None) -> Path:
    """An entry with NXdata ``plots/a`` and ``plots/b``, and soft links to them."""
    with h5py.File(path, "w") as file:
        if root is not None:
            file.attrs["default"] = root
        entry = group(file, "entry", "NXentry", default=default)
        plots = group(entry, "plots", "NXprocess")
        for name in ("a", "b"):
            group(plots, name, "NXdata", signal="data")["data"] = np.ones((2, 3))
        entry["soft"] = h5py.SoftLink("/entry/plots/b")
        plots["near"] = h5py.SoftLink("b")
        entry["away"] = h5py.ExternalLink("other.h5", "/entry/data")
    return path


def signals(found: FileMetadata) -> list[str]:
    return [array.path for array in found.arrays if array.signal]


@pytest.mark.parametrize(
    "default", ["plots/b", "/entry/plots/b", "soft", "plots/near", "./plots//b", "/entry/soft"]
)
def test_default_is_a_path(tmp_path: Path, default: str) -> None:
    found = read_file(str(two_plots(tmp_path / "a.h5", default)))
    assert (signals(found), found.warnings) == (["/entry/plots/b/data"], ())


@pytest.mark.parametrize("root", ["entry", "/entry", "/entry/plots/b"])
def test_default_of_the_root(tmp_path: Path, root: str) -> None:
    default = "plots/a" if root.endswith("b") else "plots/b"
    found = read_file(str(two_plots(tmp_path / "a.h5", default, root)))
    assert signals(found) == ["/entry/plots/b/data"]


def test_default_by_way_of_other_groups(tmp_path: Path) -> None:
    path = two_plots(tmp_path / "a.h5", "plots")
    with h5py.File(path, "r+") as file:
        file["entry/plots"].attrs["default"] = "b"
    assert signals(read_file(str(path))) == ["/entry/plots/b/data"]


@pytest.mark.parametrize("default", ["nothing", "/entry/plots/c", "plots/a/data/x"])
def test_a_default_that_is_not_there(tmp_path: Path, default: str) -> None:
    found = read_file(str(two_plots(tmp_path / "a.h5", default)))
    assert signals(found) == ["/entry/plots/a/data"]
    assert found.warnings == (f"/entry: default {default!r} names no group that is there",)


def test_a_default_in_another_file(tmp_path: Path) -> None:
    found = read_file(str(two_plots(tmp_path / "a.h5", "away")))
    assert (signals(found), found.signal_link) == ([], "/entry/away")


def test_the_default_entry_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name in ("one", "two"):
            entry = group(file, name, "NXentry")
            entry["title"] = name
            group(entry, "data", "NXdata", signal="data")["data"] = np.ones((2, 3))
        file["best"] = h5py.SoftLink("/two")
        file.attrs["default"] = "best"
    found = read_file(str(path))
    assert (found.title, signals(found)) == ("two; one", ["/two/data/data"])


def test_links_are_no_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_module, "MAX_OBJECTS", 5)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a/x"] = np.zeros(3)
        for number in range(50):
            file[f"a/l{number:02d}"] = h5py.ExternalLink(f"{number}.h5", "/x")
            file[f"a/s{number:02d}"] = h5py.SoftLink("/a/x")
    found = read_file(str(path))
    assert (len(found.links), found.problems) == (50, ())
    monkeypatch.setattr(walk_module, "MAX_MEMBERS", 20)
    assert "more than 20 objects" in read_file(str(path)).problems[0]


def test_a_virtual_dataset_mapped_frame_by_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk_module, "MAX_LINKS", 3)
    layout = h5py.VirtualLayout((40, 2, 2), "u2")
    for number in range(2):
        source = h5py.VirtualSource(f"d{number}.h5", "data", shape=(20, 2, 2))
        for frame in range(20):
            layout[20 * number + frame] = source[frame]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("v", layout)
    found = read_file(str(tmp_path / "a.h5"))
    assert [link.file for link in found.links] == ["d0.h5", "d1.h5"]
    assert found.problems == ()
