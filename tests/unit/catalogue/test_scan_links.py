"""Datasets of several files: their arrays, and what becomes of them when one is unreadable."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from nearfield.catalogue import CatalogueStore, ScanReport
from nearfield.catalogue._store import put
from nearfield.datasets import Dataset
from nearfield.testing.synthetic import make_stack, synthetic_dataset

Rescan = Callable[..., ScanReport]
Datasets = Callable[[], list[Dataset]]


def eiger(folder: Path, signal: str = "data_000001") -> Path:
    """As the detector writes it: the frames are external links, and a mask is in the master."""
    for number in (1, 2):
        with h5py.File(folder / f"s_data_{number:06d}.h5", "w") as file:
            file["entry/data/data"] = np.full((5, 4, 4), number, "u4")
    with h5py.File(folder / "s_master.h5", "w") as file:
        file["entry/data/x"] = np.zeros((3, 3))
        file["entry/mask"] = np.zeros((4, 4), "u4")
        file["entry"].attrs["NX_class"] = "NXentry"
        file["entry/data"].attrs.update(NX_class="NXdata", signal=signal)
        for number in (1, 2):
            name = f"s_data_{number:06d}.h5"
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
    return folder / "s_master.h5"


def signals(dataset: Dataset) -> list[str]:
    return [array.path for array in dataset.arrays if array.signal]


def test_arrays_of_external_links(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    path = eiger(folder)
    assert rescan().failed == ()
    (dataset,) = datasets()
    assert signals(dataset) == ["/entry/data/data_000001"]
    assert dataset.arrays[0].shape == (5, 4, 4)
    assert {array.path for array in dataset.arrays[1:]} == {
        "/entry/data/data_000002",
        "/entry/data/x",
        "/entry/mask",
    }
    with h5py.File(path) as file:
        assert all(file[array.path].shape == array.shape for array in dataset.arrays)


def test_a_signal_behind_a_soft_link(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    with h5py.File(eiger(folder, "soft"), "r+") as file:
        file["entry/data/soft"] = h5py.SoftLink("data_000002")
    rescan()
    assert signals(datasets()[0]) == ["/entry/data/data_000002"]


def test_a_whole_nxdata_in_another_file(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    make_stack(folder / "data.h5", frames=2)
    with h5py.File(folder / "master.h5", "w") as file:
        file["entry/mask"] = np.zeros((4, 4))
        file["entry"].attrs.update(NX_class="NXentry", default="plot")
        file["entry/plot"] = h5py.ExternalLink("data.h5", "/entry/data")
    rescan()
    (dataset,) = datasets()
    assert signals(dataset) == ["/entry/plot/frames"]


def test_a_signal_that_cannot_be_read(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    eiger(folder)
    (folder / "s_data_000001.h5").write_bytes(b"no HDF5")
    rescan()
    (dataset,) = datasets()
    assert signals(dataset) == []
    assert any("signal '/entry/data/data_000001'" in said for said in dataset.warnings)


def test_a_master_that_becomes_unreadable(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    path = eiger(folder)
    rescan()
    (before,) = datasets()
    content = path.read_bytes()
    path.write_bytes(content[:1500])
    for _ in range(2):
        report = rescan()
        assert (report.registered, report.missing) == (0, 0)
        (dataset,) = datasets()
        assert (dataset.pid, dataset.arrays) == (before.pid, before.arrays)
        (warning,) = dataset.warnings
        assert warning.startswith("not readable since ")
        assert "truncated" in warning
    since = warning.rpartition(": ")[0].partition(": ")[0]
    path.write_bytes(b"")
    rescan()
    (warning,) = datasets()[0].warnings
    assert warning == f"{since}: empty: zero bytes"
    path.unlink()
    # Its data files are datasets of their own now, for nothing says whose they are.
    assert rescan().missing == 1
    path.write_bytes(content)
    rescan()
    (dataset,) = datasets()
    assert (dataset.pid, dataset.arrays, dataset.warnings) == (before.pid, before.arrays, ())


def test_a_series_whose_first_file_becomes_unreadable(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    for number in (1, 2):
        with h5py.File(folder / f"s_{number}.h5", "w") as file:
            file.attrs.update(
                openPMD="1.1.0", iterationEncoding="fileBased", iterationFormat="s_%T.h5"
            )
    rescan()
    (folder / "s_1.h5").write_bytes(b"gone")
    assert rescan().registered == 0
    assert len(datasets()) == 1


def test_results_of_runs_are_no_raw_data(
    folder: Path, rescan: Rescan, datasets: Datasets, store: CatalogueStore
) -> None:
    make_stack(folder / "good.h5", frames=2)
    run = folder / "results/run1"
    (run / "more").mkdir(parents=True)
    make_stack(run / "projection.h5", frames=2)
    make_stack(run / "more/other.h5", frames=2)
    assert rescan().registered == 3
    used = next(d.pid for d in datasets() if d.files[0].path.endswith("other.h5"))
    with store.writing() as connection:
        _derive(connection, used)
    (run / ".nearfield").mkdir()
    (run / ".nearfield/record.json").write_text("{}")
    for _ in range(2):
        report = rescan()
        assert (report.known, report.ignored, report.missing, report.failed) == (1, 3, 0, ())
    kept = {d.pid: d for d in datasets()}
    assert len(kept) == 3
    assert kept[used].warnings == ("its file is a result of a run",)


def _derive(connection: sqlite3.Connection, used: str) -> None:
    put(connection, synthetic_dataset(pid="derived", type="derived", input_datasets=(used,)))


def test_percent_is_a_letter_but_in_virtual_sources(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    for name in ("b%b.h5", "c%%c.h5", "d%d.h5"):
        with h5py.File(folder / name, "w") as file:
            file["x"] = np.zeros((2, 3))
    layout = h5py.VirtualLayout((2, 3), "f8")
    layout[:] = h5py.VirtualSource("d%%d.h5", "x", shape=(2, 3))
    with h5py.File(folder / "master.h5", "w") as file:
        file["b"] = h5py.ExternalLink("b%b.h5", "/x")
        file["c"] = h5py.ExternalLink("c%%c.h5", "/x")
        file["gone"] = h5py.ExternalLink("gone%b.h5", "/x")
        file.create_virtual_dataset("d", layout)
    (failure,) = rescan().failed
    assert failure.reason == "refers to 'gone%b.h5', which is not there"
    (dataset,) = datasets()
    assert len(dataset.files) == 4
