"""Virtual datasets that count their sources: HDF5 ends them at the first that is not there."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from nearfield.reductions.index import files, open_stack
from nearfield.reductions.stack import Stack
from stacklab.assembling import assembled
from stacklab.numbered import counting

BLOCK = (2, 4, 5)


def write(folder: Path, pattern: str, *numbers: int) -> None:
    for number in numbers:
        path = folder / pattern.replace("%%", "%").replace("%b", str(number))
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as file:
            file["d"] = np.random.default_rng(number).integers(1, 2**15, BLOCK).astype("u2")


def same(path: Path) -> Stack:
    """The stack, once it is shown to be what h5py reads."""
    with h5py.File(path) as file:
        data = file["d"][()]
    stack = open_stack(path, "d")
    assert stack.refused is None, stack.refused
    np.testing.assert_array_equal(assembled(stack), data)
    return stack


@pytest.mark.parametrize("count", [1, 3])
def test_all_are_found(count: int, tmp_path: Path) -> None:
    write(tmp_path, "s-%b.h5", *range(count))
    counting(tmp_path / "m.h5", "s-%b.h5", BLOCK)
    found = same(tmp_path / "m.h5")
    assert (found.shape[0], found.missing) == (2 * count, ())


@pytest.mark.parametrize("pattern", ["s%%-%b.h5", "sub/s%%-%b.h5"])
def test_one_that_was_lost_is_told(pattern: str, tmp_path: Path) -> None:
    write(tmp_path, pattern, 0, 1, 3, 12)
    counting(tmp_path / "m.h5", pattern, BLOCK)
    found = same(tmp_path / "m.h5")
    assert found.shape[0] == 4, "as HDF5 ends it"
    assert found.missing == (pattern.replace("%%", "%").replace("%b", "2"),)


def test_one_more_is_seen_beside_a_kept_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "FRESH", -1.0)  # files of this moment count as old
    write(tmp_path, "s-%b.h5", 0, 1)
    counting(tmp_path / "m.h5", "s-%b.h5", BLOCK)
    for count in (2, 3, 4):
        assert same(tmp_path / "m.h5").shape[0] == 2 * count
        assert list((tmp_path / "cache/nearfield/index").iterdir()), "it is kept"
        write(tmp_path, "s-%b.h5", count)
