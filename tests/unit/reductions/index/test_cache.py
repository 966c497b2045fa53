"""A kept index is used while all is as it was, and never else."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.reductions.index import cache, columns, files, open_stack, opening
from nearfield.reductions.labels import labels_of
from nearfield.reductions.stack import Stack
from stacklab.assembling import assembled

FRAMES = np.arange(120, dtype="u2").reshape(6, 4, 5)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where entries are. Here files of this moment count as old, and no stamp as too young."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "FRESH", -1.0)
    return tmp_path / "cache" / "nearfield" / "index"


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that an index is made."""
    made: list[str] = []
    before = opening._index

    def counted(sources: object, path: str, *more: object) -> Stack:
        made.append(path)
        return before(sources, path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "_index", counted)
    return made


def write(path: Path, data: np.ndarray = FRAMES) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("d", data=data, chunks=(2, 2, 5), compression="gzip").attrs["a"] = "b"


def master(folder: Path) -> Path:
    """Two sources, one of them missing, in an order that is no run."""
    write(folder / "s.h5")
    layout = h5py.VirtualLayout((8, 4, 5), "u2")
    source = h5py.VirtualSource("s.h5", "d", FRAMES.shape)
    for frame, number in enumerate((3, 1, 5, 0)):
        layout[frame] = source[number]
    layout[5:7] = h5py.VirtualSource("gone.h5", "d", (2, 4, 5))
    with h5py.File(folder / "m.h5", "w") as file:
        file.create_virtual_dataset("d", layout, fillvalue=8)
    return folder / "m.h5"


def test_the_second_time_the_array_is_not_looked_for(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk over a master of thousands of links, by the labels too."""
    write(tmp_path / "a.h5")
    walks = [0]

    def counted(*where: object) -> str:
        walks[0] += 1
        return default_name(*where)  # type: ignore[arg-type]

    default_name = opening.default_name
    monkeypatch.setattr(opening, "default_name", counted)
    for _ in range(2):
        stack = open_stack(tmp_path / "a.h5")
        assert stack.plotted == "/d"
        assert labels_of(stack).name == "d"
        assert walks == [1]


def test_the_second_time_nothing_is_opened(kept: Path, indexed: list[str], tmp_path: Path) -> None:
    path = master(tmp_path)
    first, second = open_stack(path, "d"), open_stack(path, "d")
    assert len(indexed) == 1
    for name in ("shape", "dtype", "fill", "files", "missing", "attributes", "outer", "held"):
        assert getattr(first, name) == getattr(second, name), name
    np.testing.assert_array_equal(assembled(first), assembled(second))
    for one, other in zip(first.parts, second.parts, strict=True):
        assert (one.start, one.count, one.at, one.of, one.box) == (
            other.start,
            other.count,
            other.at,
            other.of,
            other.box,
        )
        assert one.stored.files == other.stored.files
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert [stat.S_IMODE(entry.stat().st_mode) for entry in kept.iterdir()] == [0o600]


def test_other_questions_are_other_entries(kept: Path, indexed: list[str], tmp_path: Path) -> None:
    write(tmp_path / "s.h5")
    for frame_ndim in (1, 2, 3):
        assert (
            len(open_stack(tmp_path / "s.h5", "d", frame_ndim=frame_ndim).shape) == 1 + frame_ndim
        )
    assert len(open_stack(tmp_path / "s.h5").shape) == 3
    assert len(indexed) == 4


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def rewritten(path: Path) -> None:
    """In place, with the same size and time of writing."""
    said, data = path.stat(), path.read_bytes()
    path.write_bytes(data)
    os.utime(path, ns=(said.st_atime_ns, said.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (said.st_size, said.st_mtime_ns)


def replaced(path: Path) -> None:
    """By another file of the same size and time of writing."""
    said = path.stat()
    path.with_name("new").write_bytes(path.read_bytes())
    os.utime(path.with_name("new"), ns=(said.st_atime_ns, said.st_mtime_ns))
    path.with_name("new").rename(path)


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [grown, rewritten, replaced, removed])
@pytest.mark.parametrize("name", ["m.h5", "s.h5"])
def test_any_change_of_any_file_makes_a_new_index(
    change: Callable[[Path], None], name: str, kept: Path, indexed: list[str], tmp_path: Path
) -> None:
    path = master(tmp_path)
    open_stack(path, "d")
    change(tmp_path / name)
    if change is removed and name == "m.h5":
        return
    open_stack(path, "d")
    assert len(indexed) == 2


def test_a_source_that_comes_later(kept: Path, indexed: list[str], tmp_path: Path) -> None:
    path = master(tmp_path)
    assert assembled(open_stack(path, "d"))[5, 0, 0] == 8
    write(tmp_path / "gone.h5", FRAMES[4:])
    assert assembled(open_stack(path, "d"))[5, 0, 0] == FRAMES[4, 0, 0]


def test_a_source_found_in_the_working_folder(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = master(tmp_path)
    for folder, add in (("x", 0), ("y", 100)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "gone.h5", FRAMES[4:] + np.uint16(add))
        monkeypatch.chdir(tmp_path / folder)
        assert assembled(open_stack(path, "d"))[5, 0, 0] == FRAMES[4, 0, 0] + add
    monkeypatch.setenv("HDF5_VDS_PREFIX", str(tmp_path / "x"))
    assert assembled(open_stack(path, "d"))[5, 0, 0] == FRAMES[4, 0, 0]


def test_what_is_fresh_or_partial_is_not_kept(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "s.h5")
    monkeypatch.setattr(files, "FRESH", 5.0)
    assert open_stack(tmp_path / "s.h5", "d").partial
    os.utime(tmp_path / "s.h5", (1e9, 1e9))  # its name or rights have changed just now, still
    assert not open_stack(tmp_path / "s.h5", "d").partial
    assert not kept.exists()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "words", "version"])
def test_a_damaged_entry_is_as_good_as_none(
    damage: str, kept: Path, indexed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = master(tmp_path)
    monkeypatch.setattr(cache, "key", lambda *_: "same")
    with monkeypatch.context() as before:
        before.setattr(columns, "VERSION", columns.VERSION + (damage == "version"))
        first = assembled(open_stack(path, "d"))
    (entry,) = kept.iterdir()
    data = bytearray(entry.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 0xFF
    harm = {"cut": data[:-50], "empty": b"", "words": b"no archive"}
    entry.write_bytes(harm.get(damage, data))
    np.testing.assert_array_equal(assembled(open_stack(path, "d")), first)
    count = len(indexed)
    open_stack(path, "d")
    assert len(indexed) == count  # another took its place


def test_no_entry_can_make_objects(kept: Path, tmp_path: Path) -> None:
    path = master(tmp_path)
    open_stack(path, "d")
    (entry,) = kept.iterdir()
    with np.load(entry, allow_pickle=False) as arrays:
        assert json.loads(arrays["header"].tobytes())["version"] == columns.VERSION
        assert {arrays[name].dtype.kind for name in arrays.files} <= set("ui")


@pytest.mark.parametrize("mode", [0o777, 0o000])
def test_a_folder_that_others_may_write_to_is_not_used(
    mode: int, kept: Path, indexed: list[str], tmp_path: Path
) -> None:
    path = master(tmp_path)
    kept.mkdir(parents=True)
    kept.chmod(mode)
    open_stack(path, "d")
    kept.chmod(0o700)
    if mode == 0o777:
        assert not list(kept.iterdir())


def test_old_entries_go_when_there_are_too_many(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = master(tmp_path)
    open_stack(path, "d")
    (first,) = kept.iterdir()
    os.utime(first, (1e9, 1e9))
    monkeypatch.setattr(cache, "MAX_TOTAL", first.stat().st_size * 3 // 2)
    open_stack(path, "d", frame_ndim=1)
    assert first not in set(kept.iterdir())
    monkeypatch.setattr(cache, "MAX_ENTRY", 10)
    before = set(kept.iterdir())
    open_stack(path, "d", frame_ndim=3)
    assert set(kept.iterdir()) == before


def test_a_tick_of_the_clock_is_waited_for(tmp_path: Path) -> None:
    """Until it is over, a second change would have the stamps of the first."""
    write(tmp_path / "s.h5")
    waited: list[float] = []
    found = files.settled(str(tmp_path / "s.h5"), sleep=waited.append)
    assert found == files.file_id(str(tmp_path / "s.h5"))
    assert all(0 < seconds <= 1 for seconds in waited)
    assert len(astuple(found)) == 7
