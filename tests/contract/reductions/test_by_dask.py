"""Reductions on a Dask cluster: here its workers are threads of this process."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster

import nearfield
from nearfield.errors import DataFileError, ReductionCancelledError, UnknownNameError, UsageError
from nearfield.reductions import by_dask, plan, reading
from nearfield.reductions.kernels.sums import Sum

DATA = np.random.default_rng(4).integers(0, 9, (300, 6, 8)).astype("u2")
FLAT = np.random.default_rng(1).random((6, 8)) + 0.1
ASKED: dict[str, Any] = {
    "mean": True, "std": True, "max": True, "sum": True, "roi": (slice(3),), "flat": FLAT,
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TASK", 4 * DATA[0].nbytes)  # 75 tasks
    monkeypatch.setattr(by_dask, "ROUND", 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, chunks=(1, 6, 8), compression="gzip")
    return tmp_path / "a.h5"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(
            2,
            threads_per_worker=2,
            processes=False,
            protocol="inproc://",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    for found in (one, other):
        found.attrs.pop("partial")  # as the file is fresh or not
    xr.testing.assert_identical(one, other)


@nearfield.reduction(start=lambda shape: np.full(shape, np.nan), merge=lambda a, b: a + 0.1 * b)
def fading(frame: Any, state: Any) -> None:
    """Depends on the order of frames, and on which runs of them are merged with which."""
    state[:] = np.where(np.isnan(state), frame, 0.9 * state + frame)


@nearfield.reduction
def scaled(frame: Any, number: int, factor: float) -> Any:
    return frame[0] * factor + number


WRITTEN: dict[str, Any] = {
    "user": {"fading": fading, "lines": scaled.using(factor=0.3)},
    "rebin": (7, 2, 3), "thumbnail": 4, "count": True, "invalid": [3], "dark": FLAT,
}  # fmt: skip


@pytest.mark.parametrize(
    "asked",
    [
        ASKED,
        WRITTEN,
        {**ASKED, "by": {"shot": np.arange(300) % 3}},
        {"sum": True, "frames": slice(1, 3)},
    ],
    ids=["all", "written", "groups", "one-task"],
)
def test_the_result_is_that_of_threads(path: Path, client: Client, asked: dict[str, Any]) -> None:
    by_threads = nearfield.reduce(path, **asked).nearfield.compute(progress=False)
    by_workers = nearfield.reduce(path, **asked).nearfield.compute(progress=False, client=client)
    same(by_threads, by_workers)


def test_a_cluster_is_as_good_as_its_client(path: Path, client: Client) -> None:
    found = nearfield.reduce(path, sum=True).nearfield.compute(False, client=client.cluster)
    np.testing.assert_array_equal(found["sum"], DATA.sum(0))


def test_progress_rises_to_all_frames(path: Path, client: Client) -> None:
    told: list[tuple[int, int]] = []
    found = nearfield.reduce(path, sum=True)
    found.nearfield.compute(lambda *at: told.append(at), client=client)
    assert told[-1] == (300, 300)
    assert len(told) > 10
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_what_there_is_by_now_is_of_whole_rounds(path: Path, client: Client) -> None:
    seen: list[xr.Dataset] = []
    found = nearfield.reduce(path, sum=True)

    def look(done: int, total: int) -> None:
        if found.encoding["nearfield_result"].so_far() is not None:
            seen.append(found.nearfield.partial())

    found.nearfield.compute(look, client=client)
    assert len(seen) > 0
    for some in seen:
        count = some.attrs["frame_count"]
        assert count % 64 == 0 or count == 300
        np.testing.assert_array_equal(some["sum"], DATA[:count].sum(0))


def test_large_plans_travel_in_pieces(
    path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_dask, "PIECE", 1000)
    mask = np.random.default_rng(2).random((6, 8))
    found = nearfield.reduce(path, masks={"a": mask}).nearfield.compute(False, client=client)
    np.testing.assert_allclose(found["masks"][:, 0], (DATA * mask).sum((1, 2)))


def damage(path: Path, frame: int) -> None:
    with h5py.File(path) as file:
        place = file["data"].id.get_chunk_info(frame).byte_offset
    with path.open("r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff" * 8)


def test_an_error_names_file_frame_and_node(path: Path, client: Client) -> None:
    damage(path, 123)
    with pytest.raises(DataFileError, match="frame 123") as error:
        nearfield.reduce(path, sum=True).nearfield.compute(False, client=client)
    assert error.value.path == str(path)
    assert any("on " in note for note in error.value.__notes__)


def test_collected_errors_are_those_of_threads(path: Path, client: Client) -> None:
    damage(path, 123)
    found = []
    for on in (None, client):
        result = nearfield.reduce(path, **ASKED, errors="collect")
        with pytest.warns(UserWarning, match="1 of 300 frames"):
            found.append(result.nearfield.compute(False, client=on))
    same(*found)


def test_cancelled_and_begun_anew(path: Path, client: Client) -> None:
    found = nearfield.reduce(path, sum=True)

    def cancel(done: int, total: int) -> None:
        other = threading.Thread(target=found.nearfield.cancel)
        other.start()
        other.join()

    with pytest.raises(ReductionCancelledError, match="was cancelled"):
        found.nearfield.compute(cancel, client=client)
    np.testing.assert_array_equal(found.nearfield.compute(False, client=client)["sum"], DATA.sum(0))


def test_a_task_that_runs_ends_with_the_computation(
    path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its next block, not at its end: here a task has 300 blocks of 20 ms."""
    added: list[int] = []

    def slowly(self: Sum, state: Any, block: Any, first: int, at: int) -> None:
        added.append(first)
        time.sleep(0.02)

    monkeypatch.setattr(plan, "TASK", DATA.nbytes)
    monkeypatch.setattr(reading, "BLOCK", DATA[0].nbytes)
    monkeypatch.setattr(Sum, "add", slowly)
    found = nearfield.reduce(path, sum=True)

    def cancel() -> None:
        while len(added) < 5:
            time.sleep(0.01)
        found.nearfield.cancel()

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(ReductionCancelledError):
        found.nearfield.compute(False, client=client)
    other.join()
    for _ in range(20):  # the news has to come to the worker
        before = len(added)
        time.sleep(0.2)
        if len(added) == before:
            break
    assert 5 <= len(added) < 200


def test_nothing_of_a_computation_stays(path: Path, client: Client) -> None:
    nearfield.reduce(path, sum=True).nearfield.compute(False, client=client)
    assert by_dask._LISTENING == {}
    for _ in range(1000):
        if not client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
            return
    pytest.fail("tasks are left on the scheduler")


def test_joining_does_not_change_what_dask_may_give_to_another() -> None:
    partial = {"sum": (np.arange(4),)}
    by_dask._own(partial)["sum"][0][0] = 9
    assert partial["sum"][0][0] == 0


@pytest.mark.parametrize("given", [3, "tcp://10.0.0.1:8786"])
def test_something_else_than_a_client(path: Path, given: Any) -> None:
    with pytest.raises(UsageError, match="is no client"):
        nearfield.reduce(path, sum=True).nearfield.compute(False, client=given)


def test_threads_and_a_cluster_at_once(path: Path, client: Client) -> None:
    with pytest.raises(UsageError, match="workers="):
        nearfield.reduce(path, sum=True).nearfield.compute(False, workers=2, client=client)


def test_errors_travel_whole() -> None:
    for error in (
        DataFileError("/a.h5", "frame 3: damaged", hint="copy it again"),
        UnknownNameError("mask", "a", ["b"]),
    ):
        error.add_note("on n2")
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert (type(again), str(again), again.__dict__) == (
            type(error), str(error), error.__dict__,
        )  # fmt: skip
