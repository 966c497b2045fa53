"""Pixels without a value, as detectors mark them, are in no result; the others are counted."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import UsageError
from nearfield.reductions.kernels.corrections import invalid_marks

RANDOM = np.random.default_rng(8)
GONE = RANDOM.random((30, 8, 9)) < 0.2
GONE[:, 4, 5] = True
GONE[7] = True


def stored(folder: Path, data: np.ndarray) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file["d"] = data
    return folder / "a.h5"


@pytest.mark.parametrize(
    ("kind", "mark"), [("u1", 255), ("u2", 65535), ("u4", 2**32 - 1), ("i2", -7), ("f4", np.nan)]
)
def test_what_detectors_write_for_no_value(tmp_path: Path, kind: str, mark: float) -> None:
    data = RANDOM.integers(0, 120, GONE.shape).astype(kind)
    data[GONE] = mark
    path = stored(tmp_path, data)
    found = nearfield.reduce(
        path, invalid=True, sum=True, mean=True, max=True, count=True, roi=(slice(2, 6),),
        masks=np.ones((8, 9)),
    ).load()  # fmt: skip
    values, there = np.where(GONE, 0, data).astype("i8"), ~GONE
    dead = GONE.all(0)
    assert np.isnan(found["sum"].values[dead]).all()
    np.testing.assert_array_equal(found["sum"].values[~dead], values.sum(0)[~dead])
    np.testing.assert_array_equal(found["max"].values[~dead], values.max(0)[~dead])
    np.testing.assert_array_equal(found["count"], there.sum(0))
    assert found["count"].dtype == found["roi_count"].dtype == "i8"
    np.testing.assert_array_equal(found["roi_count"], there[:, 2:6].sum((1, 2)))
    np.testing.assert_array_equal(found["masks_count"][:, 0], there.sum((1, 2)))
    assert np.isnan(found["roi"].values[7])
    inside = there[:, 2:6].any((1, 2))
    np.testing.assert_array_equal(found["roi"][inside], values[:, 2:6].sum((1, 2))[inside])
    np.testing.assert_array_equal(found["mean"], found["sum"] / found["count"])


def test_only_the_numbers_that_were_named(tmp_path: Path) -> None:
    data = RANDOM.integers(-3, 4, GONE.shape).astype("i4")
    found = nearfield.reduce(stored(tmp_path, data), invalid=[-1, -2], count=True, min=True)
    np.testing.assert_array_equal(found["count"], ((data != -1) & (data != -2)).sum(0))
    assert (found["min"] == -3).any()
    assert not (found["min"] == -2).any()


def test_large_integers_are_compared_as_they_are(tmp_path: Path) -> None:
    """In float64 these two are one number."""
    data = np.array([[[2**64 - 1, 2**64 - 2, 2**64 - 1]]], "u8")
    found = nearfield.reduce(stored(tmp_path, data), invalid=True, count=True)
    assert found["count"].values.tolist() == [[0, 1, 0]]


def test_integers_without_marks_are_all_values(tmp_path: Path) -> None:
    data = np.full((5, 8, 9), 65535, "u2")
    found = nearfield.reduce(
        stored(tmp_path, data), count=True, sum=True, roi={"a": (slice(2),), "b": (slice(0, 3, 2),)}
    )
    assert (found["count"] == 5).all()
    assert found["sum"].dtype == "u8"
    assert found["roi_count"].sel(region="a").values.tolist() == [18] * 5
    assert found["roi_count"].sel(region="b").values.tolist() == [18] * 5


def test_a_count_for_each_group_is_0_without_frames(tmp_path: Path) -> None:
    data = np.zeros((3, 2, 2), "u2")
    found = nearfield.reduce(
        stored(tmp_path, data), count=True, by={"shot": [1, 2, 2]}, bins=[0, 1, 2, 3]
    )
    assert found["count"].dtype == "i8"
    assert found["count"].values[:, 0, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        ("u2", -1, r"invalid=-1: no pixel can be that, the frames hold uint16"),
        ("i4", [3, 0.5], r"invalid=0.5: no pixel"),
        ("u8", 2.0**64, "no pixel"),
        ("u2", "max", "invalid='max' is no number"),
    ],
)
def test_marks_that_no_pixel_can_have(kind: str, asked: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        invalid_marks(asked, np.dtype(kind))


def test_a_mark_of_floats_is_rounded_as_they_are() -> None:
    marks, _ = invalid_marks([0.1, np.nan], np.dtype("f4"))
    assert marks.tolist() == [float(np.float32(0.1))]
