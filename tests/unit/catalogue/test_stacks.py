"""Numbered images of a folder are one dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nearfield.catalogue import ScanReport, _reading, _scan_files
from nearfield.catalogue._stacks import Stacks, stack_of
from nearfield.datasets import Dataset

Rescan = Callable[..., ScanReport]
Datasets = Callable[[], list[Dataset]]


def edf(path: Path, title: str = "a film") -> Path:
    header = f"{{\nDim_1 = 6 ;\nDim_2 = 4 ;\nDataType = UnsignedShort ;\nTitle = {title} ;\n"
    path.write_bytes((header.ljust(510) + "}\n").encode() + bytes(48))
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are opened."""
    seen: list[str] = []
    real = _reading.read_file

    def counted(path: str) -> object:
        seen.append(path.rpartition("/")[2])
        return real(path)

    monkeypatch.setattr(_reading, "read_file", counted)
    return seen


@pytest.mark.parametrize(
    ("name", "stack"),
    [
        ("scan_00001.edf", "scan_%05T.edf"),
        ("scan7_001.tif", "scan7_%03T.tif"),
        ("001.TIFF", "%03T.TIFF"),
        ("a_001_002.cbf", "a_001_%03T.cbf"),
        ("a_0001_dark.edf", "a_%04T_dark.edf"),
        ("sample_1.tif", None),
        ("sample12.tif", None),
        ("image.tif", None),
        ("scan_0001.h5", None),
        ("100%_0001.tif", None),
    ],
)
def test_names(name: str, stack: str | None) -> None:
    found = stack_of(f"/d/{name}")
    assert (found and found[0]) == (stack and f"/d/{stack}")


def test_only_what_differs_in_nothing_but_the_number() -> None:
    names = ["/a/s_001.edf", "/a/s_002.edf", "/b/s_003.edf", "/a/s_0004.edf", "/a/S_005.edf"]
    assert Stacks.among(names).first == {"/a/s_002.edf": "/a/s_001.edf"}


def test_one_dataset_and_one_file_opened(
    folder: Path, rescan: Rescan, datasets: Datasets, read: list[str]
) -> None:
    for number in range(20, 0, -1):
        edf(folder / f"s_{number:04d}.edf", title=f"frame {number}")
    edf(folder / "dark_0001.edf", title="dark")
    report = rescan()
    assert (report.registered, report.failed) == (2, ())
    assert sorted(read) == ["dark_0001.edf", "s_0001.edf"]
    dark, stack = datasets()
    assert (dark.title, dark.arrays[0].shape) == ("dark", (4, 6))
    assert (stack.title, stack.arrays[0].shape) == ("frame 1", (20, 4, 6))
    assert [file.path for file in stack.files] == [
        str(folder / f"s_{number:04d}.edf") for number in range(1, 21)
    ]
    assert (stack.files[0].role, stack.files[1].role) == ("root", "linked")
    assert stack.size == 20 * 560
    read.clear()
    assert rescan().unchanged == 2
    assert read == []


def test_a_stack_that_grows(
    folder: Path, rescan: Rescan, datasets: Datasets, read: list[str]
) -> None:
    edf(folder / "s_0002.edf")
    rescan()
    (before,) = datasets()
    edf(folder / "s_0003.edf")
    assert rescan().updated == 1
    (after,) = datasets()
    assert (after.pid, after.arrays[0].shape) == (before.pid, (2, 4, 6))
    assert read == ["s_0002.edf"]


def test_the_first_frame_goes(
    folder: Path, rescan: Rescan, datasets: Datasets, read: list[str]
) -> None:
    """The next one becomes the root, and is then read for the first time."""
    for number in (1, 2, 3):
        edf(folder / f"s_000{number}.edf", title=f"frame {number}")
    rescan()
    (folder / "s_0001.edf").unlink()
    report = rescan()
    assert (report.registered, report.missing) == (1, 1)
    assert read == ["s_0001.edf", "s_0002.edf"]
    assert "frame 2" in {dataset.title for dataset in datasets()}


def test_a_first_frame_that_cannot_be_read(
    folder: Path, rescan: Rescan, datasets: Datasets
) -> None:
    (folder / "s_0001.edf").write_text("no image")
    edf(folder / "s_0002.edf")
    for _ in range(2):
        report = rescan()
        assert [os.path.basename(f.path) for f in report.failed] == ["s_0001.edf"]  # noqa: PTH119
        # A stack without its first frame is not another stack.
        assert datasets() == []


def test_a_first_frame_on_tape(
    folder: Path, rescan: Rescan, datasets: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = edf(folder / "s_0001.edf")
    edf(folder / "s_0002.edf")
    inode = first.stat().st_ino
    monkeypatch.setattr(_scan_files, "on_tape", lambda status: status.st_ino == inode)
    report = rescan()
    assert [failure.path for failure in report.failed] == [str(first)]
    assert datasets() == []
    monkeypatch.undo()
    assert rescan().registered == 1
    assert datasets()[0].arrays[0].shape == (2, 4, 6)
