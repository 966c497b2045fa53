"""Events counted by pixel and time of flight are what ``numpy.histogram`` counts of each pixel."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nearfield
from nearfield.errors import DataFileError, ReductionCancelledError, UsageError
from nearfield.reductions import plan, reading
from nearfield.reductions.index import files, stored
from nearfield.reductions.kernels import events

EDGES = np.array([0.0, 10, 20, 35, 100])


def write(
    path: Path,
    ids: np.ndarray,
    times: np.ndarray,
    numbers: np.ndarray | None = None,
    *,
    units: str | None = "us",
    index: np.ndarray | None = None,
    where: str = "entry/bank/events",
    **kept: Any,
) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group(where)
        group.attrs["NX_class"] = b"NXevent_data"
        group.create_dataset("event_id", data=ids, **kept)
        made = group.create_dataset("event_time_offset", data=times, **kept)
        if units is not None:
            made.attrs["units"] = units
        if index is not None:
            group["event_index"] = index
        if numbers is not None:
            group.parent.attrs["NX_class"] = b"NXdetector"
            group.parent["detector_number"] = numbers


def counted(
    ids: np.ndarray, times: np.ndarray, numbers: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    rows = [np.histogram(times[ids == number].astype("f8"), edges)[0] for number in numbers.flat]
    return np.array(rows, "i8").reshape(*numbers.shape, -1)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, ...]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 300))
    shape = draw(st.sampled_from([(5,), (3, 4), (2, 2, 3), (1,)]))
    low = draw(st.sampled_from([0, 1, 1000, 2**31 - 5]))
    spread = draw(st.sampled_from([1, 7, 10**8]))
    numbers = low + spread * rng.permutation(int(np.prod(shape))).reshape(shape)
    beyond = np.append(numbers, [low - 1 if low else low + 999, low + 998])
    ids = rng.choice(beyond, count).astype(draw(st.sampled_from(["u4", "i8", "u8"])))
    kind = draw(st.sampled_from(["u4", "f4", "f8", "i2", ">f4"]))
    times = rng.integers(-5, 110, count)
    if kind[-2] == "f":
        times = np.where(rng.random(count) < 0.1, np.nan, times + rng.choice([0, 0.5], count))
    elif kind == "u4":
        times = np.abs(times)
    even = draw(st.booleans())
    edges = np.linspace(0, 100, draw(st.integers(2, 30))) if even else EDGES
    kept: dict[str, Any] = {}
    if draw(st.booleans()):
        kept = {"chunks": (draw(st.integers(1, count)),), "compression": "gzip", "shuffle": True}
    return ids, times.astype(kind), numbers, edges, kept


def test_any_events_are_counted_as_numpy_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "_TICK", 0.0)  # nothing changes while it is read here
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases(), st.data())
    def check(case: tuple[Any, ...], data: st.DataObject) -> None:
        ids, times, numbers, edges, kept = case
        monkeypatch.setattr(plan, "TASK", data.draw(st.sampled_from([1, 300, 10**8])))
        monkeypatch.setattr(reading, "BLOCK", data.draw(st.sampled_from([1, 300, 1 << 19])))
        monkeypatch.setattr(events, "_TABLE", data.draw(st.sampled_from([0, 50_000_000])))
        monkeypatch.setattr(stored, "_VALUES", data.draw(st.sampled_from([0, 100_000])))
        index = np.sort(np.random.default_rng(len(ids)).integers(0, len(ids) + 1, 5))
        index[0] = 0
        first = data.draw(st.integers(0, 4))
        last = data.draw(st.integers(first + 1, 5))
        begin, end = np.append(index, len(ids))[[first, last]]
        pulses = slice(first, last) if data.draw(st.booleans()) and begin < end else None
        some = slice(begin, end) if pulses else slice(None)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.h5"
            write(path, ids, times, numbers, index=index, **kept)
            found = nearfield.reduce(path, time_of_flight=edges, frames=pulses).load()
        expected = counted(ids[some], times[some], numbers, edges)
        np.testing.assert_array_equal(found["counts"], expected)
        assert found["left_out"].item() == len(ids[some]) - expected.sum()

    check()


def test_the_result_says_what_it_is(tmp_path: Path) -> None:
    numbers = np.arange(100, 112).reshape(3, 4)
    ids = np.tile(numbers.ravel(), 5)
    times = np.arange(60) * 1_000_000
    write(tmp_path / "a.h5", ids.astype("u4"), times.astype("u4"), numbers, units="ns")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        bank = file["entry/bank"]
        bank["x_pixel_offset"] = np.arange(4.0)
        bank["x_pixel_offset"].attrs["units"] = "m"
        bank["polar_angle"] = np.ones((3, 4))
        bank["distance"] = np.ones(7)
    edges = np.arange(0, 60_001, 10_000)
    expected = counted(ids, times, numbers, edges * 1000)
    for asked in (
        {"edges": edges, "units": "us"},
        {"edges": edges / 1e6, "units": "s"},
        xr.DataArray(edges / 1000, attrs={"units": "ms"}),
        SimpleNamespace(values=edges, unit="µs"),
        edges * 1000,
    ):
        found = nearfield.reduce(tmp_path / "a.h5", time_of_flight=asked)
        np.testing.assert_array_equal(found["counts"], expected)
    found = xr.open_dataset(
        tmp_path / "a.h5", engine="nearfield", array="entry/bank", drop_variables="polar_angle",
        time_of_flight={"edges": edges, "units": "us"},
    )  # fmt: skip
    assert found["counts"].dims == ("y", "x", "time_of_flight")
    np.testing.assert_array_equal(found["counts"], expected)
    assert found["counts"].attrs["units"] == "counts"
    assert found["time_of_flight"].attrs["units"] == "us"
    np.testing.assert_array_equal(found["time_of_flight_low"], edges[:-1])
    np.testing.assert_array_equal(found["detector_number"], numbers)
    assert found["x_pixel_offset"].dims == ("x",)
    assert {"polar_angle", "distance"}.isdisjoint(found.coords)
    assert "6 bins, 0 to 60000 us" in found.attrs["asked"]
    assert found.nearfield.cost.bytes_decoded == 60 * (4 + 4)
    assert found.nearfield.cost.bytes_read == 60 * (4 + 4)
    assert found.attrs["source_dataset"] == "/entry/bank/events/event_time_offset"


def test_without_a_detector_it_is_the_pixels_that_were_hit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, times = np.array([7, 9, 9, 12]), np.array([1.0, 2, 3, 4])
    write(tmp_path / "a.h5", ids, times, where="entry/bank1_events")
    found = nearfield.reduce(tmp_path / "a.h5", time_of_flight=[0, 5])
    assert found["detector_number"].values.tolist() == [7, 8, 9, 10, 11, 12]
    assert found["counts"].values.ravel().tolist() == [1, 0, 2, 0, 0, 1]
    monkeypatch.setattr("nearfield.reductions.events._MOST", 5)
    with pytest.raises(UsageError, match="numbered 7 to 12"):
        nearfield.reduce(tmp_path / "a.h5", time_of_flight=[0, 5])


def test_sns_keeps_the_numbers_in_the_detector(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        bank = file.create_group("entry/instrument/bank1")
        bank.attrs["NX_class"] = b"NXdetector"
        bank["pixel_id"] = np.arange(4).reshape(2, 2)
        group = file.create_group("entry/bank1_events")
        group.attrs["NX_class"] = b"NXevent_data"
        group["event_id"] = np.array([0, 3, 3], "u4")
        group["event_time_offset"] = np.array([1, 2, 3], "f4")
        for name in ("event_id", "event_time_offset"):
            bank[name] = h5py.SoftLink(f"/entry/bank1_events/{name}")
    found = nearfield.reduce(
        tmp_path / "a.h5", array="entry/instrument/bank1", time_of_flight=[0, 2, 4]
    )
    assert found["counts"].values.tolist() == [[[1, 0], [0, 0]], [[0, 0], [0, 2]]]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"time_of_flight": [1.0]}, "at least one bin"),
        ({"time_of_flight": [1.0, 1.0]}, "must grow"),
        ({"time_of_flight": [1.0, np.inf]}, "finite"),
        ({"time_of_flight": "x"}, "edges of bins are wanted"),
        ({"time_of_flight": {"edges": [1, 2], "units": "m"}}, "time_of_flight in m"),
        ({"time_of_flight": EDGES, "sum": True}, "sum= does not go together"),
        ({"time_of_flight": EDGES, "by": "x"}, "by= does not go together"),
        ({"time_of_flight": EDGES, "errors": "collect"}, "errors= does not go together"),
        ({"time_of_flight": EDGES, "array": "entry"}, "has no event_id"),
        ({"time_of_flight": EDGES, "array": "entry/x"}, "there is no 'entry/x'"),
        ({"time_of_flight": EDGES, "frames": slice(0, 1)}, "has no event_index"),
        ({"time_of_flight": np.arange(200.0)}, "too many counts"),
    ],
)
def test_what_does_not_fit_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(events, "MAX_COUNTS", 100)
    write(tmp_path / "a.h5", np.arange(3), np.arange(3.0), np.arange(3))
    with pytest.raises(UsageError, match=words):
        nearfield.reduce(tmp_path / "a.h5", **asked)


def test_what_is_wrong_with_the_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FRESH", -1.0)  # nobody is writing it still
    path = tmp_path / "a.h5"
    for ids, times, numbers, error, words in [
        (np.arange(3), np.arange(4.0), np.arange(3), DataFileError, "3 events with a pixel and 4"),
        (np.arange(3.0), np.arange(3.0), np.arange(3), UsageError, "no numbers of pixels"),
        (np.arange(3), np.arange(3.0), np.zeros(3, "i4"), UsageError, "have the same number"),
        (np.zeros(0, "i4"), np.zeros(0), np.arange(3), UsageError, "no events"),
    ]:
        write(path, ids, times, numbers)
        with pytest.raises(error, match=words):
            nearfield.reduce(path, time_of_flight=EDGES)
    with h5py.File(path, "w") as file:
        for name in ("a", "b"):
            file.create_group(name).attrs["NX_class"] = b"NXevent_data"
    with pytest.raises(UsageError, match="2 groups of events") as told:
        nearfield.reduce(path, time_of_flight=EDGES)
    assert "/a, /b" in str(told.value.hint)


def test_a_file_that_changes_is_counted_as_it_is_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    numbers = np.arange(3)
    write(path, np.arange(3), np.arange(3.0), numbers)
    lazy = nearfield.reduce(path, time_of_flight=EDGES)
    write(path, np.full(3, 1), np.full(3, 50.0), numbers)
    assert lazy["counts"].values[1].tolist() == [0, 0, 0, 3]


def test_it_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 8)
    write(tmp_path / "a.h5", np.arange(3), np.arange(3.0), np.arange(3))
    lazy = nearfield.reduce(tmp_path / "a.h5", time_of_flight=EDGES)
    inner = events.Events.add

    def add(self: events.Events, *arguments: Any) -> None:
        lazy.nearfield.cancel()
        inner(self, *arguments)

    monkeypatch.setattr(events.Events, "add", add)
    with pytest.raises(ReductionCancelledError):
        lazy.load()
