"""One pass over a file gives what h5py and numpy give, and only when somebody looks."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from nearfield.errors import UsageError
from nearfield.reductions.asking import reduce_path

RING = np.hypot(*np.mgrid[-10:10, -16:16]) < 6


@pytest.fixture(params=["contiguous", "bitshuffle", "frames of three"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, np.ndarray]:
    path = tmp_path / "stack.h5"
    data = np.random.default_rng(1).integers(0, 2**16, (50, 20, 32)).astype("u2")
    how = {
        "contiguous": {},
        "bitshuffle": {"chunks": (1, 20, 32), **hdf5plugin.Bitshuffle(cname="lz4")},
        "frames of three": {"chunks": (3, 20, 32), **hdf5plugin.Bitshuffle(cname="lz4")},
    }[request.param]
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, **how)
    return path, data


def test_sum_region_and_masks(stack: tuple[Path, np.ndarray]) -> None:
    path, data = stack
    found = reduce_path(
        path, "data", sum=True, roi=(slice(2, 9), slice(-5, None)), masks={"ring": RING}
    )
    wide = data.astype("u8")
    assert found["sum"].dims == ("y", "x")
    np.testing.assert_array_equal(found["sum"], wide.sum(0))
    assert found["roi"].dims == ("frame",)
    np.testing.assert_array_equal(found["roi"], wide[:, 2:9, -5:].sum((1, 2)))
    np.testing.assert_array_equal(found["masks"].sel(mask="ring"), wide[:, RING].sum(1))


def test_nothing_is_read_before_somebody_looks(stack: tuple[Path, np.ndarray]) -> None:
    path, _ = stack
    found = reduce_path(path, "data", sum=True)
    assert "..." in repr(found)
    assert found["sum"].shape == (20, 32)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        found["sum"].load()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "nothing to reduce to"),
        ({"roi": (slice(90, 99),)}, "has no pixel"),
        ({"roi": {"a": {"z": slice(1)}}}, "no dimension z"),
        ({"masks": np.ones((3, 3))}, r"mask .0. is \(3,\)"),
        ({"median": True}, "no reduction is called 'median'"),
    ],
)
def test_what_does_not_fit_is_refused(
    stack: tuple[Path, np.ndarray], asked: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        reduce_path(stack[0], "data", **asked)
