"""Which files make a dataset, who may see it, and what a second scan does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.catalogue import CatalogueStore, ScanReport, scan, scan_into
from nearfield.config import Config
from nearfield.datasets import Dataset, dataset_pid
from nearfield.errors import UsageError
from nearfield.testing.synthetic import (
    make_linked,
    make_openpmd,
    make_sample_data,
    make_stack,
)

Rescan = Callable[..., ScanReport]
Datasets = Callable[[], list[Dataset]]


def names(dataset: Dataset) -> list[str]:
    return [file.path.rpartition("/")[2] for file in dataset.files]


def counts(report: ScanReport) -> tuple[int, int, int, int]:
    return report.registered, report.unchanged, report.updated, report.missing


def test_the_sample_data_are_three_datasets(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    made = make_sample_data(folder)
    (folder / "notes.txt").write_text("nothing")
    report = rescan()
    assert (report.registered, report.ignored, report.failed) == (3, 1, ())
    field, stack, series = datasets()
    assert (field.title, field.format, field.techniques) == (None, "openPMD", ("openPMD",))
    assert (stack.format, stack.techniques, stack.sample) == ("NeXus", ("NXsas",), "synthetic ring")
    assert stack.arrays[0].signal
    assert stack.arrays[0].path == "/entry/data/frames"
    assert (stack.arrays[0].shape, stack.arrays[0].dtype) == ((40, 128, 128), "uint16")
    assert stack.size == made[0].stat().st_size
    assert names(series) == [
        "synthetic_series_master.h5",
        "synthetic_series_data_000001.h5",
        "synthetic_series_data_000002.h5",
    ]
    assert [file.role for file in series.files] == ["root", "linked", "linked"]
    assert series.size == sum(file.size for file in series.files)
    assert series.arrays[0].shape == (20, 128, 128)
    assert all("synthetic" in (d.title or d.description or "") for d in (field, stack, series))


def test_the_pid_is_made_of_storage_and_relative_path(
    folder: Path, store: CatalogueStore, datasets: Datasets
) -> None:
    (folder / "sub").mkdir()
    make_linked(folder / "sub/a.h5")
    config = Config.model_validate({"storages": {"raw": {"prefix": str(folder)}}})
    scan(store, folder / "sub", config)
    (dataset,) = datasets()
    assert dataset.pid == dataset_pid("embedded", "raw", "sub/a.h5")
    assert dataset.storage == "raw"
    scan(store, folder, config)
    assert [d.pid for d in datasets()] == [dataset.pid]


def test_a_second_scan_changes_nothing_and_opens_nothing(
    folder: Path, rescan: Rescan, store: CatalogueStore, opens: list[str]
) -> None:
    make_sample_data(folder)
    make_linked(folder / "dangling.h5", other="gone.h5")
    (folder / "empty.h5").touch()
    (folder / "text.nxs").write_text("not HDF5 at all")
    (folder / "no_suffix").write_bytes((folder / "dangling.h5").read_bytes())
    first = rescan()
    assert counts(first) == (5, 0, 0, 0)
    assert len(first.failed) == 4  # the dangling link is in two files
    with store.reading() as connection:
        before = connection.execute("SELECT * FROM record").fetchall()
    opens.clear()
    second = rescan()
    assert counts(second) == (0, 5, 0, 0)
    assert second.failed == first.failed
    assert second.ignored == first.ignored
    assert opens == []
    with store.reading() as connection:
        assert connection.execute("SELECT * FROM record").fetchall() == before


def test_only_what_changed_is_read_again(
    folder: Path, rescan: Rescan, datasets: Datasets, opens: list[str]
) -> None:
    make_linked(folder / "a.h5", "a")
    make_linked(folder / "b.h5", "b")
    rescan()
    pid = datasets()[1].pid
    make_linked(folder / "b.h5", "b again")
    opens.clear()
    assert counts(rescan()) == (0, 1, 1, 0)
    assert opens == [str(folder / "b.h5")]
    assert [(d.title, d.pid) for d in datasets()][1] == ("b again", pid)


def test_a_repaired_file_is_registered(folder: Path, rescan: Rescan) -> None:
    (folder / "a.h5").write_text("broken")
    assert len(rescan().failed) == 1
    make_linked(folder / "a.h5")
    report = rescan()
    assert (report.registered, report.failed) == (1, ())


def test_a_missing_dataset_stays_and_says_so(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    make_linked(folder / "a.h5", "a")
    make_linked(folder / "b.h5", "b")
    rescan()
    content = (folder / "a.h5").read_bytes()
    (folder / "a.h5").unlink()
    report = rescan()
    assert counts(report) == (0, 1, 0, 1)
    assert report.missing_paths == (str(folder / "a.h5"),)
    assert report.failed == ()
    assert "missing since" in datasets()[0].warnings[0]
    assert counts(rescan()) == (0, 1, 0, 1)
    assert len(datasets()[0].warnings) == 1
    (folder / "a.h5").write_bytes(content)
    assert counts(rescan()) == (0, 1, 1, 0)
    assert datasets()[0].warnings == ()


def test_scans_of_two_folders_do_not_disturb_each_other(
    folder: Path, store: CatalogueStore, datasets: Datasets
) -> None:
    for name in ("run1", "run10"):
        (folder / name).mkdir()
        make_linked(folder / name / "a.h5", name)
    for name in ("run1", "run10", "run1"):
        report = scan(store, folder / name, Config())
        assert report.missing == 0
    assert [d.title for d in datasets()] == ["run1", "run10"]


def test_links_of_links_and_rings(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    make_linked(folder / "master.h5", "chain", next="middle.h5")
    make_linked(folder / "middle.h5", next="last.h5")
    make_linked(folder / "last.h5")
    make_linked(folder / "ring_a.h5", "ring", other="ring_b.h5")
    make_linked(folder / "ring_b.h5", other="ring_a.h5")
    make_linked(folder / "self.h5", "self", other="self.h5")
    report = rescan()
    assert (report.registered, report.failed) == (3, ())
    assert [names(d) for d in datasets()] == [
        ["master.h5", "last.h5", "middle.h5"],
        ["ring_a.h5", "ring_b.h5"],
        ["self.h5"],
    ]


def test_a_master_that_comes_later_takes_its_files_in(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    make_linked(folder / "data.h5", "data")
    rescan()
    make_linked(folder / "master.h5", "master", d="data.h5")
    assert counts(rescan()) == (1, 0, 0, 0)
    assert [(d.title, names(d)) for d in datasets()] == [("master", ["master.h5", "data.h5"])]
    (folder / "master.h5").unlink()
    assert counts(rescan()) == (1, 0, 0, 1)


def test_files_that_belong_to_a_master_elsewhere(
    folder: Path, store: CatalogueStore, datasets: Datasets
) -> None:
    (folder / "masters").mkdir()
    (folder / "data").mkdir()
    make_linked(folder / "data/d.h5", "data")
    make_linked(folder / "masters/m.h5", "master", d="../data/d.h5")
    assert scan(store, folder / "masters", Config()).registered == 1
    assert scan(store, folder / "data", Config()).registered == 0
    (dataset,) = datasets()
    assert names(dataset) == ["m.h5", "d.h5"]
    assert dataset.files[1].path == str(folder / "data/d.h5")
    assert "outside of the scanned folder" in dataset.warnings[0]


def test_absolute_links_and_moved_trees(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    make_linked(folder / "a.h5", "a", d=str(folder / "a_data.h5"))
    make_linked(folder / "a_data.h5")
    make_linked(folder / "b.h5", "b", d="/where/it/was/once/b_data.h5")
    make_linked(folder / "b_data.h5")
    assert rescan().failed == ()
    assert [names(d) for d in datasets()] == [["a.h5", "a_data.h5"], ["b.h5", "b_data.h5"]]


def test_a_link_to_an_object_that_is_not_there(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    make_linked(folder / "data.h5")
    with h5py.File(folder / "master.h5", "w") as file:
        file["good"] = h5py.ExternalLink("data.h5", "/x")
        file["bad"] = h5py.ExternalLink("data.h5", "/entry/y")
    report = rescan()
    assert report.registered == 1
    (failure,) = report.failed
    assert failure.path == str(folder / "master.h5")
    assert "/entry/y" in failure.reason
    assert datasets()[0].warnings == (failure.reason,)
    assert rescan().failed == report.failed


def test_a_dangling_link_that_is_mended(
    folder: Path, rescan: Rescan, datasets: Datasets, opens: list[str]
) -> None:
    make_linked(folder / "master.h5", "m", d="late.h5")
    report = rescan()
    assert report.registered == 1
    assert "late.h5" in report.failed[0].reason
    assert "late.h5" in datasets()[0].warnings[0]
    make_linked(folder / "late.h5")
    opens.clear()
    report = rescan()
    assert (counts(report), report.failed) == ((0, 0, 1, 0), ())
    assert str(folder / "master.h5") not in opens
    assert names(datasets()[0]) == ["master.h5", "late.h5"]


def test_a_virtual_dataset_over_numbered_files(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    for number in range(3):
        with h5py.File(folder / f"part-{number}.h5", "w") as file:
            file["d"] = np.zeros((1, 4))
    with h5py.File(folder / "all.h5", "w") as file:
        space = h5py.h5s.create_simple((3, 4), (h5py.h5s.UNLIMITED, 4))
        space.select_hyperslab((0, 0), (h5py.h5s.UNLIMITED, 1), (1, 1), (1, 4))
        source = h5py.h5s.create_simple((1, 4))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_virtual(space, b"part-%b.h5", b"d", source)
        whole = h5py.h5s.create_simple((3, 4), (h5py.h5s.UNLIMITED, 4))
        h5py.h5d.create(file.id, b"v", h5py.h5t.NATIVE_DOUBLE, whole, plist)
    assert rescan().failed == ()
    assert [names(d) for d in datasets()] == [["all.h5", "part-0.h5", "part-1.h5", "part-2.h5"]]


def test_external_storage(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    (folder / "raw.bin").write_bytes(bytes(80))
    with h5py.File(folder / "head.h5", "w") as file:
        file.create_dataset("x", (10,), "f8", external=[("raw.bin", 0, 80)])
    assert rescan().failed == ()
    (dataset,) = datasets()
    assert names(dataset) == ["head.h5", "raw.bin"]
    assert dataset.warnings == ()


@pytest.mark.parametrize(
    ("pattern", "spelled"), [("run_%T.h5", "run_{}.h5"), ("run_%06T", "run_{:06d}.h5")]
)
def test_an_openpmd_series_is_one_dataset(
    folder: Path, rescan: Rescan, datasets: Datasets, pattern: str, spelled: str
) -> None:
    def member(number: int) -> None:
        path = make_openpmd(folder / spelled.format(number))
        with h5py.File(path, "r+") as file:
            file.attrs["iterationEncoding"] = np.bytes_("fileBased")
            file.attrs["iterationFormat"] = np.bytes_(pattern)

    for number in (100, 9, 20):
        member(number)
    make_openpmd(folder / "alone.h5")
    assert rescan().registered == 2
    series = max(datasets(), key=lambda d: len(d.files))
    assert names(series) == [
        spelled.format(n) for n in sorted((9, 20, 100), key=lambda n: (n != 9, spelled.format(n)))
    ]
    member(300)
    assert counts(rescan()) == (0, 1, 1, 0)
    assert {d.pid for d in datasets()} >= {series.pid}


def test_data_without_a_suffix_and_names_of_all_kinds(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    odd = [
        "no_suffix",
        "with space.h5",
        "{braces}$HOME.h5",
        "new\nline.nxs",
        "ümläut ☃.CXI",
        "-n.h5",
    ]
    for name in odd:
        make_linked(folder / name, name)
    report = rescan()
    assert (report.registered, report.failed) == (len(odd), ())
    assert sorted(names(d)[0] for d in datasets()) == sorted(odd)


def test_snapshots_and_links_into_the_tree_are_not_more_data(folder: Path, rescan: Rescan) -> None:
    (folder / ".snapshot/daily").mkdir(parents=True)
    make_linked(folder / ".snapshot/daily/a.h5")
    make_linked(folder / "a.h5")
    (folder / "latest.h5").symlink_to("a.h5")
    (folder / "again").symlink_to(".")
    report = rescan()
    assert (report.registered, report.failed, report.ignored) == (1, (), 2)


def test_links_through_a_linked_folder_are_the_real_file(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    (folder / "real").mkdir()
    make_linked(folder / "real/d.h5")
    (folder / "alias").symlink_to("real")
    make_linked(folder / "m.h5", "m", d="alias/d.h5")
    assert rescan().failed == ()
    (dataset,) = datasets()
    assert [file.path for file in dataset.files] == [
        str(folder / "m.h5"),
        str(folder / "real/d.h5"),
    ]


def test_progress_and_async(tmp_path: Path, folder: Path) -> None:
    import asyncio

    make_stack(folder / "a.h5", frames=2)
    seen: list[tuple[int, int | None, str]] = []

    def tell(done: int, total: int | None, what: str = "") -> None:
        seen.append((done, total, what))

    report = asyncio.run(scan_into(tmp_path / "c.sqlite", folder, Config(), on_progress=tell))
    assert report.known == 1
    assert (0, 1, "a.h5") in seen


def test_what_is_no_folder(store: CatalogueStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        scan(store, tmp_path / "nope", Config())
