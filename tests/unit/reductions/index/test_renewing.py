"""Between opening and reading files change: what is read then is what they hold."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.errors import DataFileError
from nearfield.reductions.asking import reduce_stack
from nearfield.reductions.index import open_stack, renewed
from stacklab.assembling import assembled

DATA = np.arange(120, dtype="u2").reshape(6, 4, 5)


def write(path: Path, data: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        maxshape = (None, *data.shape[1:])
        file.create_dataset("d", data=data, chunks=(1, *data.shape[1:]), maxshape=maxshape)


def test_files_that_are_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", DATA)
    stack = open_stack(tmp_path / "a.h5", "d")
    assert renewed(stack) is stack


@pytest.mark.parametrize("how", ["same size and time", "grown", "grown by a scan's line"])
def test_files_that_hold_other_values(how: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    data = DATA.reshape(2, 3, 4, 5) if "line" in how else DATA
    write(path, data)
    stack = open_stack(path, "d")
    said = path.stat()
    if how == "same size and time":
        with h5py.File(path, "r+") as file:
            file["d"][:] = DATA[::-1]
        os.utime(path, ns=(said.st_atime_ns, said.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (said.st_size, said.st_mtime_ns)
        expected = DATA[::-1]
    else:
        with h5py.File(path, "r+") as file:
            file["d"].resize(3 if "line" in how else 9, axis=0)
            file["d"][-1] = 7
        expected = DATA
    now = renewed(stack)
    assert now is not stack
    assert now.shape == stack.shape
    assert now.outer == stack.outer
    assert now.held == stack.held
    assert now.partial
    np.testing.assert_array_equal(assembled(now), expected)


@pytest.mark.parametrize(
    ("data", "words"),
    [(DATA[:5], "has 5 frames now"), (DATA[:, :3], "frames"), (DATA.astype("u4"), "uint32 now")],
)
def test_files_that_hold_other_frames(data: np.ndarray, words: str, tmp_path: Path) -> None:
    write(tmp_path / "a.h5", DATA)
    stack = open_stack(tmp_path / "a.h5", "d")
    write(tmp_path / "a.h5", data)
    with pytest.raises(DataFileError, match=words):
        renewed(stack)
    (tmp_path / "a.h5").unlink()
    with pytest.raises(DataFileError, match="no such file"):
        renewed(stack)


@pytest.mark.parametrize("grown", [False, True])
def test_a_result_is_of_the_file_as_it_is_when_it_is_computed(grown: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, DATA)
    said = path.stat()
    result = reduce_stack(open_stack(path, "d"), sum=True)
    with h5py.File(path, "r+") as file:
        if grown:
            file["d"].resize(9, axis=0)
            file["d"][6:] = 1000
        else:
            file["d"][:] = 3
    os.utime(path, ns=(said.st_atime_ns, said.st_mtime_ns))
    expected = DATA.sum(0, dtype="u8") if grown else np.full((4, 5), 18)
    np.testing.assert_array_equal(result["sum"], expected)
