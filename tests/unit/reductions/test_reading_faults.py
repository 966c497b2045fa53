"""A file that changes, ends or goes away under a reader: an error with file and frame."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.errors import DataFileError
from nearfield.reductions import chunks, open_files
from nearfield.reductions.index import open_stack
from nearfield.reductions.open_files import OpenFiles
from nearfield.reductions.reading import blocks
from nearfield.reductions.stack import Stack
from nearfield.reductions.unreadable import FileChanged, Noted

SHAPE = (6, 600, 500)
"""A frame is larger than a block: each is read when it is asked for."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.arange(np.prod(SHAPE), dtype="u4").reshape(SHAPE)
    return tmp_path / "a.h5"


@pytest.fixture
def stack(path: Path) -> Stack:
    return open_stack(path, "data")


def later(path: Path) -> None:
    """Another stamp, as a change has that is not in the same tick of the clock."""
    said = path.stat()
    os.utime(path, ns=(said.st_atime_ns, said.st_mtime_ns + 10**9))


def test_a_file_that_is_cut_while_it_is_read(path: Path, stack: Stack) -> None:
    reading = blocks(stack, 0, 6)
    for _ in range(3):
        next(reading)
    os.truncate(path, int(stack.parts[0].stored.offset[4, 0]) + 10)
    assert next(reading)[0] == 3
    with pytest.raises(DataFileError, match=r"a\.h5': frame 4: the file ends before the chunk"):
        next(reading)


def test_a_file_that_is_cut_before_it_is_read(path: Path, stack: Stack) -> None:
    os.truncate(path, int(stack.parts[0].stored.offset[4, 0]) + 10)
    with pytest.raises(DataFileError, match=r"a\.h5': frame 2: the file was replaced"):
        next(blocks(stack, 2, 6))


def test_a_file_that_is_replaced_before_it_is_read(path: Path, stack: Stack) -> None:
    other = path.with_name("b.h5")
    other.write_bytes(path.read_bytes())
    said = path.stat()
    os.utime(other, ns=(said.st_atime_ns, said.st_mtime_ns))
    other.replace(path)
    with pytest.raises(DataFileError, match=r"a\.h5': frame 1: the file was replaced"):
        next(blocks(stack, 1, 6))


def test_a_file_that_is_rewritten_with_its_size_and_stamp(path: Path, stack: Stack) -> None:
    said = path.stat()
    with path.open("r+b") as file:
        file.seek(int(stack.parts[0].stored.offset[0, 0]))
        file.write(b"new")
    os.utime(path, ns=(said.st_atime_ns, said.st_mtime_ns))
    with pytest.raises(DataFileError, match=r"a\.h5': frame 0: the file was replaced"):
        next(blocks(stack, 0, 6))


def test_a_folder_that_is_gone(path: Path, stack: Stack) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    with pytest.raises(DataFileError, match=r"a\.h5': frame 0: it cannot be opened: No such"):
        next(blocks(stack, 0, 6))


def test_a_descriptor_that_fails_in_the_middle(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a network file system's does when its server has forgotten it; here: EBADF."""
    monkeypatch.setattr(OpenFiles, "fd", lambda self, file: 10**6)
    with pytest.raises(DataFileError, match=r"a\.h5': frame 5: Bad file descriptor"):
        next(blocks(stack, 5, 6))


@pytest.mark.parametrize("how", ["written", "replaced"])
def test_a_file_that_changes_while_it_is_read(path: Path, stack: Stack, how: str) -> None:
    reading = blocks(stack, 0, 6)
    next(reading)
    if how == "written":
        with path.open("r+b") as file:
            file.seek(int(stack.parts[0].stored.offset[5, 0]))
            file.write(b"new")
        later(path)
    else:
        other = path.with_name("b.h5")
        other.write_bytes(b"")
        other.replace(path)
    with pytest.raises(FileChanged, match=r"a\.h5': frames 0 to 5: the file was replaced"):
        list(reading)


def test_a_file_that_was_not_touched_is_read_to_its_end(stack: Stack) -> None:
    assert [first for first, _ in blocks(stack, 1, 6)] == [1, 2, 3, 4, 5]


def test_a_file_that_is_gone(path: Path, stack: Stack) -> None:
    path.unlink()
    with pytest.raises(DataFileError, match=r"frame 3: it cannot be opened: No such file"):
        next(blocks(stack, 3, 6))


def test_a_disk_error(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc/self/mem gives EIO where this process has no memory: a true one, from the kernel."""
    monkeypatch.setattr(open_files, "same_file", lambda fd, file: True)
    real = os.open
    memory = {stack.files[0].path: "/proc/self/mem"}
    monkeypatch.setattr(open_files.os, "open", lambda path, flags: real(memory[path], flags))
    with pytest.raises(DataFileError, match=r"a\.h5': frame 1: Input/output error: the disk or"):
        next(blocks(stack, 1, 3))
    noted = Noted(collect=True)
    assert list(blocks(stack, 1, 3, noted)) == []
    assert [(one.start, one.stop) for one in noted.found] == [(1, 3)]


def test_few_files_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "master.h5", "w") as master:
        for i in range(1, 41):
            with h5py.File(tmp_path / f"{i}.h5", "w") as file:
                file["data"] = np.full((1, 4, 5), i, "u2")
            master[f"entry/data_{i:06}"] = h5py.ExternalLink(f"{i}.h5", "data")
    stack = open_stack(tmp_path / "master.h5", "entry")
    monkeypatch.setattr(open_files, "LIMIT", 8)
    monkeypatch.setattr(chunks, "LIMIT", 8)
    most, fd = [0], OpenFiles.fd

    def counted(self: OpenFiles, file: object) -> int:
        found = fd(self, file)  # type: ignore[arg-type]
        most[0] = max(most[0], len(self._open))
        return found

    monkeypatch.setattr(OpenFiles, "fd", counted)
    found = np.concatenate([block.copy() for _, block in blocks(stack, 0, 40)])
    assert found[:, 0].tolist() == list(range(1, 41))
    assert most == [8]
