"""Masters that link their frames, and which array is meant where nobody names one."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.index import open_stack, opening, sources
from stacklab.assembling import assembled


def eiger(folder: Path, files: int, frames: int = 3) -> np.ndarray:
    data = np.arange(files * frames * 20, dtype="u4").reshape(files * frames, 4, 5)
    with h5py.File(folder / "m_master.h5", "w") as master:
        master.create_group("entry").attrs["NX_class"] = "NXentry"
        group = master["entry"].create_group("data")
        group.attrs["NX_class"] = "NXdata"
        for k in range(files):
            name = f"m_data_{k + 1:06d}.h5"
            group[f"data_{k + 1:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
            with h5py.File(folder / name, "w") as file:
                some = data[k * frames : (k + 1) * frames]
                file.create_dataset("entry/data/data", data=some, chunks=(1, 4, 5))
    return data


@pytest.mark.parametrize("name", [None, "entry/data", "/entry/data/"])
def test_numbered_files_are_one_stack(name: str | None, tmp_path: Path) -> None:
    data = eiger(tmp_path, 12)
    stack = open_stack(tmp_path / "m_master.h5", name)
    np.testing.assert_array_equal(assembled(stack), data)
    assert len(stack.parts) == 1
    assert len(stack.files) == 13
    assert [held.frames for held in stack.held] == [3] * 12
    one = open_stack(tmp_path / "m_master.h5", "entry/data/data_000002")
    np.testing.assert_array_equal(assembled(one), data[3:6])


def test_numbered_files_that_are_not_there_yet(tmp_path: Path) -> None:
    data = eiger(tmp_path, 3)
    last = tmp_path / "m_data_000003.h5"
    last.rename(tmp_path / "later")
    for path in tmp_path.iterdir():
        os.utime(path, (1e9, 1e9))
    stack = open_stack(tmp_path / "m_master.h5")
    np.testing.assert_array_equal(assembled(stack), data[:6])
    assert stack.partial
    assert stack.missing == (last.name,)
    (tmp_path / "later").rename(last)
    (tmp_path / "m_data_000002.h5").unlink()
    with pytest.raises(DataFileError, match=r"m_data_000002\.h5 is missing, and later"):
        open_stack(tmp_path / "m_master.h5")


def test_numbered_files_whose_frames_differ(tmp_path: Path) -> None:
    eiger(tmp_path, 2)
    with h5py.File(tmp_path / "m_data_000002.h5", "a") as file:
        del file["entry/data/data"]
        file["entry/data/data"] = np.zeros((3, 4, 6), "u4")
    with pytest.raises(DataFileError, match="not as those before"):
        open_stack(tmp_path / "m_master.h5")


def test_each_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: opening files is what an index costs; twice the links are twice the opens."""
    calls: list[str] = []
    real = sources._opened
    monkeypatch.setattr(
        sources, "_opened", lambda path, named: (calls.append(path), real(path, named))[1]
    )
    counts = []
    for files in (100, 200):
        (tmp_path / str(files)).mkdir()
        eiger(tmp_path / str(files), files, 1)
        calls.clear()
        open_stack(tmp_path / str(files) / "m_master.h5", "entry/data")
        counts.append(len(calls))
    assert counts == [101, 201]


def test_links_upon_links(tmp_path: Path) -> None:
    data = np.arange(60, dtype="u2").reshape(3, 4, 5)
    (tmp_path / "sub").mkdir()
    with h5py.File(tmp_path / "sub" / "c.h5", "w") as file:
        file["deep/d"] = data
        file["there"] = h5py.SoftLink("deep")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x/y"] = h5py.ExternalLink("sub/c.h5", "there/d")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g/up"] = h5py.ExternalLink("b.h5", "x")
        file["soft"] = h5py.SoftLink("g/up/y")
    stack = open_stack(tmp_path / "a.h5", "soft")
    np.testing.assert_array_equal(assembled(stack), data)
    assert [Path(f.path).name for f in stack.files] == ["a.h5", "b.h5", "c.h5"]
    assert (stack.held[0].path, stack.held[0].name) == (str(tmp_path / "sub/c.h5"), "/there/d")
    (tmp_path / "b.h5").unlink()
    with pytest.raises(UsageError, match=r"b\.h5 is missing"):
        open_stack(tmp_path / "a.h5", "soft")


def test_links_in_a_ring(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = h5py.SoftLink("y")
        file["y"] = h5py.SoftLink("x")
    with pytest.raises(UsageError, match="no 'x'"):
        open_stack(tmp_path / "a.h5", "x")


def test_the_signal_that_nexus_says_to_plot(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["default"] = "e"
        entry = file.create_group("e")
        entry.attrs.update({"NX_class": "NXentry", "default": "plot"})
        plot = entry.create_group("plot")
        plot.attrs.update({"NX_class": "NXdata", "signal": "counts"})
        plot["counts"] = np.arange(60).reshape(3, 4, 5)
        plot["counts"].attrs.update({"units": "counts", "scale": 2.5, "axes": ["a", "b"]})
        entry["other"] = np.zeros((2, 2, 2))
    for name in (None, "e/plot"):
        stack = open_stack(tmp_path / "a.h5", name)
        assert stack.held[0].name == "/e/plot/counts"
        assert stack.attributes["units"] == "counts"
        assert stack.attributes["scale"] == 2.5


def test_without_nexus_the_only_stack_is_meant(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros((3, 4, 5))
        file["line"] = np.zeros(7)
    assert open_stack(tmp_path / "a.h5").held[0].name == "/x"
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["y"] = np.zeros((3, 4, 5))
    with pytest.raises(UsageError, match="which of 2 arrays"):
        open_stack(tmp_path / "a.h5")


def test_a_file_that_is_open_in_this_process(tmp_path: Path) -> None:
    data = eiger(tmp_path, 2)
    with h5py.File(tmp_path / "m_master.h5") as master, h5py.File(tmp_path / "m_data_000001.h5"):
        assert master["entry/data/data_000002"].shape == (3, 4, 5)  # kept open by HDF5, its way
        stack = open_stack(tmp_path / "m_master.h5", "entry/data")
        np.testing.assert_array_equal(assembled(stack), data)
        assert master["entry/data/data_000002"][0, 0, 0] == data[3, 0, 0]


def test_a_file_that_changes_while_it_is_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = eiger(tmp_path, 1)
    path = tmp_path / "m_data_000001.h5"
    times = iter(range(10))
    before = opening._index

    def meddled(*args: object) -> object:
        made = before(*args)  # type: ignore[arg-type]
        if next(times) < 2:
            path.write_bytes(path.read_bytes() + b"\0")
        return made

    monkeypatch.setattr(opening, "_index", meddled)
    stack = open_stack(tmp_path / "m_master.h5", "entry/data")
    assert stack.files[1].size == path.stat().st_size
    np.testing.assert_array_equal(assembled(stack), data)
    monkeypatch.setattr(opening, "_ATTEMPTS", 1)
    times = iter(range(10))
    with pytest.raises(DataFileError, match="changes while"):
        open_stack(tmp_path / "m_master.h5", "entry/data")
