"""A file that names another person's file gets neither that file nor word of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from nearfield.catalogue import CatalogueStore, scan, scanning
from nearfield.catalogue._tree import Tree, list_tree
from nearfield.config import Config
from nearfield.datasets import Dataset

MALLORY, ALICE = 64_001, 64_002
Owned = Callable[..., None]


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> Owned:
    """Lets the scan take files for somebody's, by the beginning of their names."""
    owners = {"m": MALLORY, "a": ALICE}

    def listed(root: str, known_plain: Callable[[str, os.stat_result], bool]) -> Tree:
        tree = list_tree(root, known_plain)
        for path, status in tree.files.items():
            fields = list(status)
            fields[4] = fields[5] = owners.get(Path(path).name[0], status.st_uid)
            extra = {n: getattr(status, n) for n in ("st_mtime_ns", "st_ctime_ns", "st_blocks")}
            tree.files[path] = os.stat_result(fields, extra)
        return tree

    def take(**others: int) -> None:
        owners.update(others)
        monkeypatch.setattr(scanning, "list_tree", listed)

    return take


def write(path: Path, title: str, **links: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["title"] = title
        entry["only_here"] = [1.0, 2.0, 3.0]
        for name, goal in links.items():
            entry[name] = h5py.ExternalLink(goal, "/entry")
    path.chmod(0o644)
    return path


def scanned(store: CatalogueStore, folder: Path) -> dict[str | None, Dataset]:
    scan(store, folder, Config())
    with store.reading() as connection:
        rows = connection.execute("SELECT document FROM record").fetchall()
    found = [Dataset.model_validate_json(text) for (text,) in rows]
    return {dataset.title: dataset for dataset in found}


def test_a_link_takes_nobodys_dataset_away(
    open_folder: Path, store: CatalogueStore, owned: Owned
) -> None:
    owned()
    write(open_folder / "alice/a.nxs", "alice's")
    before = scanned(store, open_folder)["alice's"]
    write(open_folder / "mallory/m.nxs", "mallory's", x="../alice/a.nxs")
    found = scanned(store, open_folder)
    assert found["alice's"] == before
    # Everybody may read it: it may be told that one uses the other.
    assert [Path(f.path).name for f in found["mallory's"].files] == ["m.nxs", "a.nxs"]


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_of_a_closed_file_a_link_learns_nothing(
    open_folder: Path, store: CatalogueStore, owned: Owned, closed: str
) -> None:
    owned()
    secret = write(open_folder / "alice/a.nxs", "alice's")
    (secret if closed == "file" else secret.parent).chmod(0o600 if closed == "file" else 0o700)
    for name, goal in (("m1", "../alice/a.nxs"), ("m2", "../alice/not-there.nxs")):
        write(open_folder / f"mallory/{name}.nxs", name, x=goal)
    found = scanned(store, open_folder)
    assert "alice's" in found
    for one in (found["m1"], found["m2"]):
        assert len(one.files) == 1
        assert [array.path for array in one.arrays] == ["/entry/only_here"]
    # The same words for what is closed and for what is not there.
    words = [w.replace("not-there.nxs", "a.nxs") for w in found["m2"].warnings]
    assert words == list(found["m1"].warnings)


def test_of_a_closed_file_outside_too(
    open_folder: Path, tmp_path: Path, store: CatalogueStore, owned: Owned
) -> None:
    owned()
    (tmp_path / "elsewhere").mkdir()
    secret = write(tmp_path / "elsewhere/diary.nxs", "a secret")
    secret.parent.chmod(0o700)
    write(open_folder / "mallory/m.nxs", "m", x=str(secret))
    found = scanned(store, open_folder)["m"]
    assert len(found.files) == 1


def test_files_of_a_detectors_account_belong_to_the_master_above_them(
    open_folder: Path, store: CatalogueStore, owned: Owned
) -> None:
    owned(d=64_003)
    folder = open_folder / "scan"
    write(folder / "raw/d1.nxs", "frames")
    write(folder / "d2.nxs", "more frames")
    write(folder / "m.nxs", "scan", x="raw/d1.nxs", y="d2.nxs")
    found = scanned(store, open_folder)
    assert list(found) == ["scan"]
    assert len(found["scan"].files) == 3


def test_in_a_folder_of_all_people_each_keeps_theirs(
    open_folder: Path, store: CatalogueStore, owned: Owned
) -> None:
    owned()
    write(open_folder / "all/a.nxs", "alice's")
    write(open_folder / "all/m.nxs", "mallory's", x="a.nxs")
    (open_folder / "all").chmod(0o1777)
    assert set(scanned(store, open_folder)) == {"alice's", "mallory's"}
