"""A file that is being written gives the frames that are there, and is called partial."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.errors import DataFileError
from nearfield.reductions.index import files, open_stack, same_file
from stacklab.assembling import assembled

WRITER = """
import sys, h5py, numpy as np
path, how = sys.argv[1:]
with h5py.File(path, "w", libver="latest", locking=False) as file:
    d = file.create_dataset("d", (0, 4, 5), "u2", maxshape=(None, 4, 5), chunks=(1, 4, 5))
    if how == "long":
        d.resize(50, axis=0)
    if how != "plain":
        file.swmr_mode = True
    n = 0
    for line in sys.stdin:
        for _ in range(int(line)):
            if how != "long":
                d.resize(n + 1, axis=0)
            d[n] = n
            n += 1
        file.flush()
        print(n, flush=True)
"""


class Writer:
    def __init__(self, path: Path, how: str) -> None:
        self.how = how
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self, frames: int) -> None:
        """Returns when they are written and flushed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{frames}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip()

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()


@pytest.fixture(params=["grows", "long"])
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "a.h5", request.param)
    yield made
    made.end()


def frames_of(path: Path) -> list[int]:
    stack = open_stack(path, "d")
    assert stack.partial
    assert stack.files[0].growing
    return [int(frame[0, 0]) for frame in assembled(stack)]


def test_the_frames_that_are_there(writer: Writer, tmp_path: Path) -> None:
    writer.write(3)
    assert frames_of(tmp_path / "a.h5") == [0, 1, 2]
    writer.write(7)
    assert frames_of(tmp_path / "a.h5") == list(range(10))


def test_an_index_of_a_growing_file_stays_good(writer: Writer, tmp_path: Path) -> None:
    writer.write(3)
    stack = open_stack(tmp_path / "a.h5", "d")
    writer.write(20)
    with (tmp_path / "a.h5").open("rb") as file:
        assert same_file(file.fileno(), stack.files[0])
    assert [int(frame[0, 0]) for frame in assembled(stack)] == [0, 1, 2]


def test_it_is_not_kept_however_old(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "FRESH", -1.0)
    writer.write(3)
    assert open_stack(tmp_path / "a.h5", "d").partial
    assert not (tmp_path / "cache").exists()


def test_virtual_dataset_over_a_growing_source(writer: Writer, tmp_path: Path) -> None:
    writer.write(4)
    layout = h5py.VirtualLayout((3, 4, 5), "u2")
    layout[:] = h5py.VirtualSource("a.h5", "d", (4, 4, 5))[1:4]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_virtual_dataset("v", layout)
    os.utime(tmp_path / "m.h5", (1e9, 1e9))
    stack = open_stack(tmp_path / "m.h5", "v")
    assert stack.partial
    assert [int(frame[0, 0]) for frame in assembled(stack)] == [1, 2, 3]


@pytest.mark.parametrize("one_by_one", [False, True])
def test_master_that_was_made_before_the_frames(
    one_by_one: bool, writer: Writer, tmp_path: Path
) -> None:
    layout = h5py.VirtualLayout((20, 4, 5), "u2")
    source = h5py.VirtualSource("a.h5", "d", (20, 4, 5))
    for frame in range(20 if one_by_one else 0):
        layout[frame] = source[frame]
    if not one_by_one:
        # All of a source means all that it has; of one that is long already, a run is mapped.
        long = h5py.VirtualSource("a.h5", "d", (50, 4, 5))
        layout[:] = source if writer.how == "grows" else long[:20]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=9)
    for frames in (3, 6):
        writer.write(3)
        stack = open_stack(tmp_path / "m.h5", "v")
        assert stack.refused is None
        assert stack.partial
        assert [int(frame[0, 0]) for frame in assembled(stack)] == list(range(frames))


def test_open_for_writing_without_swmr_is_an_error(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.h5", "plain")
    writer.write(3)
    with pytest.raises(DataFileError, match="open for writing by another program"):
        open_stack(tmp_path / "a.h5", "d")
    writer.end()
    assert open_stack(tmp_path / "a.h5", "d").shape[0] == 3


@pytest.mark.parametrize("how", [{}, {"chunks": (1, 4, 5)}])
def test_open_for_writing_in_this_process(how: dict[str, object], tmp_path: Path) -> None:
    data = np.arange(60, dtype="u2").reshape(3, 4, 5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("d", data=data, **how)
        stack = open_stack(tmp_path / "a.h5", "d")
        np.testing.assert_array_equal(assembled(stack), data)
        assert stack.partial
        file["d"][1] = 7
        np.testing.assert_array_equal(assembled(open_stack(tmp_path / "a.h5", "d"))[1], 7)


def test_another_file_is_not_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for size in (10, 11):
        path.write_bytes(b"x" * size)
        said = files.settled(str(path))
        with path.open("r+b") as file:
            assert same_file(file.fileno(), said)
            file.write(b"y")
            file.flush()
            os.utime(path, ns=(said.mtime_ns, said.mtime_ns))
            assert not same_file(file.fileno(), said)


@pytest.mark.parametrize(("libver", "partial"), [("latest", False), ("earliest", True)])
def test_a_young_file_is_whole_where_its_superblock_says_that_it_is_closed(
    libver: str, partial: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["d"] = np.zeros((3, 4, 5))
    assert open_stack(path, "d").partial is partial
    assert not (tmp_path / "cache").exists()  # it can change and look the same
    with h5py.File(path, "r+", libver=libver) as file:
        file["e"] = 1
        file.flush()
        assert open_stack(path, "d").partial
    with h5py.File(tmp_path / "b.h5", "w", libver="earliest") as file:
        file["d"] = h5py.ExternalLink("a.h5", "d")
    os.utime(tmp_path / "b.h5", (1e9, 1e9))
    assert open_stack(tmp_path / "b.h5", "d").partial is partial
