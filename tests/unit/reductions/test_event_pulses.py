"""Pulses of neutron events, and the units of their times: nothing is counted that is not there."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import UsageError

EDGES = [0.0, 50.0, 100.0]


def write(path: Path, index: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("bank")
        group.attrs["NX_class"] = "NXevent_data"
        group["event_id"] = np.zeros(10, "u4")
        group["event_time_offset"] = np.arange(10, dtype="i4") * 10
        group["event_time_offset"].attrs["units"] = "ns"
        group["event_index"] = index
    return path


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (np.array([0, 6, 3, 9]), "does not rise"),
        (np.array([-3, 2, 5]), "does not rise"),
        (np.array([2**64 - 1, 2, 5], "u8"), "does not rise"),
        (np.array([0.0, 2.5]), "no list of numbers"),
        (np.array([[0, 2], [4, 6]]), "no list of numbers"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(
    tmp_path: Path, index: np.ndarray, words: str
) -> None:
    """More events than there are were counted, from before the first one."""
    path = write(tmp_path / "a.h5", index)
    with pytest.raises(UsageError, match=words):
        nearfield.reduce(path, array="bank", time_of_flight=EDGES, frames=slice(0, 2))
    found = nearfield.reduce(path, array="bank", time_of_flight=EDGES)
    assert found["counts"].values.tolist() == [[5, 5]]


def test_pulses_behind_the_last_event_have_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", np.array([0, 2, 2, 9, 12, 2**64 - 1], "u8"))
    for pulses, count in ((slice(0, 2), 2), (slice(0, 4), 10), (slice(2, None), 8)):
        found = nearfield.reduce(path, array="bank", time_of_flight=EDGES, frames=pulses)
        assert int(found["counts"].sum() + found["left_out"]) == count


@pytest.mark.parametrize(("units", "factor"), [("s", 1e-9), ("ms", 1e-6), ("us", 1e-3)])
def test_edges_in_another_unit_are_whole_where_they_were(
    tmp_path: Path, units: str, factor: float
) -> None:
    """30 * 1e-9 s is a little more than 30 ns: the event at 30 ns came into the bin before."""
    edges = np.array([0, 10, 30, 60, 70, 90])
    path = write(tmp_path / "a.h5", np.array([0]))
    asked = {"edges": edges * factor, "units": units}
    found = nearfield.reduce(path, array="bank", time_of_flight=asked)
    assert found["counts"].values[0].tolist() == [1, 2, 3, 1, 3]
