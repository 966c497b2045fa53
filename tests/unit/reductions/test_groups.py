"""Groups of frames: what one has no frame of, or none that could be read, has no value."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import NearfieldError, UsageError
from nearfield.reductions.collecting import UnreadableFramesWarning

LARGE = 2**62 + 1  # no float64 is that
SHOT = {"shot": np.array([1, 1, 2, 2, 9, 9])}
EDGES = [0, 2, 4, 8, 10]
"""The bins hold two frames each, and the third one none."""


def stored(folder: Path, kind: str, *damaged: int) -> Path:
    """Six frames of two pixels: LARGE and the frame's number, or 1 and that."""
    path, large = folder / "a.h5", LARGE if kind[1] == "8" else 1
    with h5py.File(path, "w") as file:
        data = np.array([[[large, i]] for i in range(6)], kind)
        made = file.create_dataset("data", data=data, chunks=(1, 1, 2), compression="gzip")
        places = [made.id.get_chunk_info(i).byte_offset for i in damaged]
    with path.open("r+b") as raw:
        for place in places:
            raw.seek(place)
            raw.write(b"\xff" * 4)
    return path


@pytest.mark.parametrize("kind", ["u8", "i8"])
def test_least_and_greatest_integers_of_64_bits_stay_exact(tmp_path: Path, kind: str) -> None:
    found = nearfield.reduce(stored(tmp_path, kind), min=True, max=True, by=SHOT, bins=EDGES)
    for name, numbers in (("min", [0, 2, 4]), ("max", [1, 3, 5])):
        one = found[name]
        assert one.dtype == kind
        assert one[[0, 1, 3], 0, 0].values.tolist() == [LARGE] * 3
        assert one[[0, 1, 3], 0, 1].values.tolist() == numbers
        assert (one[2] == one.attrs["missing_value"]).all()
    assert found["frames_read"].values.tolist() == [2, 2, 0, 2]


def test_floats_where_they_hold_the_integers(tmp_path: Path) -> None:
    found = nearfield.reduce(stored(tmp_path, "u2"), min=True, sum=True, by=SHOT, bins=EDGES)
    assert found["min"].dtype == "f4"
    assert np.isnan(found["min"][2]).all()
    assert "missing_value" not in found["min"].attrs
    assert not found["sum"][2].any()  # a sum of nothing
    assert "missing_value" not in found["sum"].attrs


@pytest.mark.parametrize("bins", [None, EDGES])
def test_a_group_of_frames_that_all_are_lost_has_no_value(
    tmp_path: Path, bins: list[int] | None
) -> None:
    asked = {"sum": True, "mean": True, "min": True, "std": True, "histogram": [0, 3, 9]}
    found = nearfield.reduce(
        stored(tmp_path, "u2", 2, 3, 4), **asked, by=SHOT, bins=bins, errors="collect"
    )
    with pytest.warns(UnreadableFramesWarning):
        found.load()
    for name in asked:
        one = found[name]
        lost = np.isnan(one[1]) if one.dtype.kind == "f" else one[1] == one.attrs["missing_value"]
        assert lost.all(), name
    assert found["sum"][0].values.tolist() == [[2, 1]]
    assert found["sum"][-1].values.tolist() == [[1, 5]]  # of the one that is left
    assert found["frames_read"].values.tolist() == ([2, 0, 1] if bins is None else [2, 0, 0, 1])
    if bins is not None:
        assert not found["sum"][2].any()


def test_all_lost(tmp_path: Path) -> None:
    path = stored(tmp_path, "u2", *range(6))
    with pytest.raises(NearfieldError, match="none of the frames"):
        nearfield.reduce(path, sum=True, by=SHOT, errors="collect").load()


def test_what_there_is_by_now_of_groups_of_integers(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A group that no frame was read of yet has no least value, of integers either."""
    monkeypatch.setattr("nearfield.reductions.plan.TASK", 1)
    found = nearfield.reduce(stored(tmp_path, "u2"), min=True, by=SHOT, workers=1)
    seen = []

    def told(done: int, total: int) -> None:
        now = found.nearfield.partial()
        if done == 2:
            seen.append((now["min"][0].values.tolist(), now["frames_read"].values.tolist()))

    found.nearfield.compute(progress=told)
    assert seen == [([[1, 0]], [2, 0, 0])]


def test_no_time_is_no_group(tmp_path: Path) -> None:
    at = np.array(["2026-01-01", "NaT", "2026-01-01", "2026-01-02", "NaT", "NaT"], "M8[ns]")
    found = nearfield.reduce(stored(tmp_path, "u2"), sum=True, by={"day": at})
    assert found["frames_read"].values.tolist() == [2, 1]
    assert found["sum"][:, 0, 1].values.tolist() == [2, 3]


def test_bins_of_large_integers_are_exact(tmp_path: Path) -> None:
    """Nanoseconds since 1970: as float64 they are 256 apart."""
    at = 1_700_000_000_000_000_000
    stamps = at + np.array([-1, 0, 1, 9, 10, 11])
    bins = [at, at + 1, at + 10]
    found = nearfield.reduce(stored(tmp_path, "u2"), sum=True, by={"t": stamps}, bins=bins)
    assert found["frames_read"].values.tolist() == [1, 3]
    assert found["sum"][:, 0, 1].values.tolist() == [1, 2 + 3 + 4]
    assert found["t_low"].values.tolist() == bins[:2]
    times = {"t": stamps.view("M8[ns]")}
    found = nearfield.reduce(
        stored(tmp_path, "u2"), sum=True, by=times, bins=np.array(bins, "M8[ns]")
    )
    assert found["frames_read"].values.tolist() == [1, 3]
    assert found["t"].dtype == "M8[ns]"
    with pytest.raises(UsageError, match="bins of 't' are int64, and its values datetime64"):
        nearfield.reduce(stored(tmp_path, "u2"), sum=True, by=times, bins=bins)


def test_a_time_that_is_none_is_in_no_bin(tmp_path: Path) -> None:
    at = np.array(["NaT", "2026-01-01", "2026-01-02", "NaT", "2026-01-03", "2026-02-01"], "M8[D]")
    bins = np.array(["2026-01-01", "2026-01-03"], "M8[h]")
    found = nearfield.reduce(stored(tmp_path, "u2"), sum=True, by={"day": at}, bins=bins)
    assert found["frames_read"].values.tolist() == [3]


def test_bins_of_integers_with_and_without_a_sign_are_exact(tmp_path: Path) -> None:
    """numpy's type for both of them is float64, for which the first three are one number."""
    most = 2**63 - 1
    values = {"v": np.array([most, most - 1, most - 2, -1, 0, 1], "i8")}
    bins = np.array([0, most, 2**64 - 1], "u8")
    found = nearfield.reduce(stored(tmp_path, "u2"), sum=True, by=values, bins=bins)
    assert found["frames_read"].values.tolist() == [4, 1]
    assert found["v_low"].dtype == "f8"


@pytest.mark.parametrize("bins", [["1600-01-01", "2200-01-01"], ["2000-01-01", "2600-01-01"]])
def test_times_that_nanoseconds_do_not_reach_are_refused(tmp_path: Path, bins: list[str]) -> None:
    """numpy turns 1600 into 2184."""
    times = {"t": np.arange(6).astype("M8[ns]")}
    with pytest.raises(UsageError, match="further away than"):
        nearfield.reduce(stored(tmp_path, "u2"), sum=True, by=times, bins=np.array(bins, "M8[D]"))
