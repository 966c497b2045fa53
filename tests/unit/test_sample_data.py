"""The demo's data: made again, they are the same files."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield import sample_data
from nearfield.sample_data import make_sample_data, ring_frames


def looks(folder: Path) -> dict[str, tuple[int, int]]:
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_a_file_that_is_right_stays(tmp_path: Path) -> None:
    roots = make_sample_data(tmp_path)
    before = looks(tmp_path)
    assert all(root.is_file() for root in roots)
    assert make_sample_data(tmp_path) == roots
    assert looks(tmp_path) == before


@pytest.mark.parametrize("damage", [b"", b"other"])
def test_a_file_that_is_not_is_replaced(tmp_path: Path, damage: bytes) -> None:
    stack, *_ = make_sample_data(tmp_path)
    good, before = stack.read_bytes(), looks(tmp_path)
    stack.write_bytes(damage)
    make_sample_data(tmp_path)
    assert stack.read_bytes() == good
    after = looks(tmp_path)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {stack.name}


def test_nothing_in_them_tells_the_time(tmp_path: Path) -> None:
    _, master, _ = make_sample_data(tmp_path)
    with h5py.File(master) as file:
        virtual = file["entry/data/data"]
        assert virtual.is_virtual
        assert h5py.h5o.get_info(virtual.id).ctime == 0
        halves = [ring_frames(10), ring_frames(10, first=10)]
        np.testing.assert_array_equal(virtual[...], np.concatenate(halves))


def test_without_h5py_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(sample_data.BlockedError, match="h5py"):
        make_sample_data(tmp_path / "x")
