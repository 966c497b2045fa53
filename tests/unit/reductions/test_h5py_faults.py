"""Reading by h5py where HDF5 says nothing, or nothing that helps."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import DataFileError
from nearfield.reductions.collecting import UnreadableFramesWarning

DATA = np.random.default_rng(0).integers(1, 100, (10, 8, 9)).astype("u2")
EACH = DATA[0].nbytes


def test_a_filter_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=DATA, chunks=(1, 8, 9), compression="gzip")
    content = bytearray(path.read_bytes())
    at = content.index(b"deflate") - 8  # the number of the filter
    content[at : at + 2] = (33000).to_bytes(2, "little")
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"a\.h5': frame 0: HDF5 has no filter 33000 \(deflat"):
        nearfield.reduce(path, sum=True)["sum"].load()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An array whose bytes are in two files of raw numbers, where HDF5 looks for them."""
    monkeypatch.chdir(tmp_path)
    content = DATA.tobytes()
    (tmp_path / "one.raw").write_bytes(b"head" + content[: 4 * EACH])
    (tmp_path / "two.raw").write_bytes(content[4 * EACH :])
    files = [("one.raw", 4, 4 * EACH), ("two.raw", 0, h5py.h5f.UNLIMITED)]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", DATA.shape, "u2", external=files)
    return tmp_path / "a.h5"


def test_frames_in_raw_files(path: Path) -> None:
    found = nearfield.reduce(path, array="data", max=True, by=range(10))
    np.testing.assert_array_equal(found["max"], DATA)


@pytest.mark.parametrize(
    ("name", "size", "lost", "words"),
    [
        ("one.raw", 4 + 2 * EACH, [2, 3], "ends before the frame"),
        ("one.raw", 4 + 4 * EACH - 1, [3], "ends before the frame"),
        ("two.raw", EACH + 5, [5, 6, 7, 8, 9], "ends before the frame"),
        ("two.raw", None, [4, 5, 6, 7, 8, 9], "cannot be opened: No such file"),
    ],
)
def test_a_raw_file_that_is_too_short(
    path: Path, name: str, size: int | None, lost: list[int], words: str
) -> None:
    """HDF5 gives zeros."""
    if size is None:
        path.with_name(name).unlink()
    else:
        with path.with_name(name).open("r+b") as file:
            file.truncate(size)
    with pytest.raises(DataFileError, match=rf"{name}': frame {lost[0]}: .*{words}"):
        nearfield.reduce(path, array="data", sum=True).load()
    found = nearfield.reduce(path, array="data", sum=True, errors="collect")
    with pytest.warns(UnreadableFramesWarning, match=f"{len(lost)} of 10"):
        found.load()
    assert np.flatnonzero(found["unreadable"]).tolist() == lost
    np.testing.assert_array_equal(found["sum"], np.delete(DATA, lost, 0).sum(0))
