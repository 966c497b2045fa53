"""A result's ``.nearfield``: its cost, its progress, what it has by now, and its end."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

import nearfield
from nearfield.errors import DataFileError, ReductionCancelledError, UsageError
from nearfield.reductions import cost, plan, threads

DATA = np.random.default_rng(4).integers(0, 9, (40, 6, 8)).astype("u2")
FRAMES_A_TASK = 4


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TASK", FRAMES_A_TASK * DATA[0].nbytes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, chunks=(1, 6, 8), compression="gzip")
    return tmp_path / "a.h5"


def still_running() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("nearfield-reduce")]


def stored(path: Path) -> int:
    with h5py.File(path) as file:
        return int(file["data"].id.get_storage_size())


def test_the_cost_is_what_is_stored_and_decoded(path: Path) -> None:
    told = nearfield.reduce(path, sum=True, workers=3).nearfield.cost
    assert told.bytes_read == stored(path)
    assert told.bytes_decoded == DATA.nbytes
    assert (told.tasks, told.workers) == (10, 3)
    # Four rounds of tasks: in the last one a single thread has one.
    assert told.seconds == pytest.approx(4 * FRAMES_A_TASK * DATA[0].nbytes / cost.ASSUMED)
    assert not told.measured
    assert "10 tasks in 3 threads" in repr(told)
    assert "assuming 500 MB/s" in repr(told)


def test_the_cost_of_some_frames_counts_each_chunk_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("data", data=DATA, chunks=(4, 3, 8), compression="gzip")
        sizes = [data.id.get_chunk_info(i) for i in range(data.id.get_num_chunks())]
    told = nearfield.reduce(tmp_path / "a.h5", sum=True, frames=slice(5, 10)).nearfield.cost
    assert told.bytes_read == sum(c.size for c in sizes if c.chunk_offset[0] in (4, 8))
    assert told.bytes_decoded == 5 * DATA[0].nbytes


def test_the_cost_of_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (40, 6, 8), "u2", chunks=(1, 6, 8))[3] = 1
    assert nearfield.reduce(tmp_path / "a.h5", sum=True).nearfield.cost.bytes_read == 96


def test_progress_is_told_in_frames_and_ends_at_all(path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = nearfield.reduce(path, sum=True, workers=3)
    done = found.nearfield.compute(progress=lambda *at: told.append(at))
    assert told == [(n, 40) for n in range(4, 41, 4)]
    np.testing.assert_array_equal(done["sum"], DATA.sum(0))
    found.nearfield.compute(progress=lambda *at: told.append(at))
    assert len(told) == 10  # it is there already


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_result_is_the_same_whoever_computes(path: Path, workers: int) -> None:
    asked = {"mean": True, "std": True, "flat": np.random.default_rng(1).random((6, 8)) + 0.1}
    found = nearfield.reduce(path, **asked).nearfield.compute(progress=False, workers=workers)
    alone = nearfield.reduce(path, **asked, workers=1).compute()
    xr.testing.assert_identical(found, alone)


@pytest.mark.parametrize("workers", [1, 4])
def test_cancelled_from_another_thread(path: Path, workers: int) -> None:
    found = nearfield.reduce(path, sum=True, workers=workers)
    told: list[int] = []

    def cancel(done: int, total: int) -> None:
        told.append(done)
        other = threading.Thread(target=lambda: told.append(-found.nearfield.cancel()))
        other.start()
        other.join()

    with pytest.raises(ReductionCancelledError, match="was cancelled"):
        found.nearfield.compute(progress=cancel)
    assert told[:2] == [4, -1]
    assert len(told) <= 2 * (workers + 2)  # tasks that had been done by then
    assert still_running() == []
    assert found.nearfield.cancel() is False
    np.testing.assert_array_equal(found["sum"], DATA.sum(0))  # asked for again it begins anew


class Turns:
    """A lock that tells that somebody asked for it."""

    def __init__(self) -> None:
        self.lock, self.asked = threading.Lock(), threading.Semaphore(0)

    def __enter__(self) -> None:
        self.asked.release()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_who_waits_for_what_is_cancelled_is_told_too(path: Path) -> None:
    found = nearfield.reduce(path, sum=True, workers=1)
    turns = found.encoding["nearfield_result"]._lock = Turns()
    errors: list[BaseException] = []

    def look() -> None:
        try:
            found["sum"].load()
        except ReductionCancelledError as error:
            errors.append(error)

    waiting = threading.Thread(target=look)

    def cancel(done: int, total: int) -> None:
        if done == FRAMES_A_TASK:
            turns.asked.acquire()  # our own
            waiting.start()
            turns.asked.acquire()
            found.nearfield.cancel()

    with pytest.raises(ReductionCancelledError):
        found.nearfield.compute(progress=cancel)
    waiting.join(30)
    assert len(errors) == 1


def test_an_interrupt_ends_the_threads(path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    found = nearfield.reduce(path, sum=True, workers=4)
    with pytest.raises(KeyboardInterrupt):
        found.nearfield.compute(progress=interrupt)
    assert still_running() == []
    np.testing.assert_array_equal(found["sum"], DATA.sum(0))


def test_an_error_in_one_task_ends_the_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def task(plan: object, number: int, stop: threading.Event) -> None:
        ran.append(number)
        if number == 1:
            raise DataFileError("a.h5", "frame 4: damaged")
        assert stop.wait(30), "nobody ends it"
        raise ReductionCancelledError("as a task does")

    monkeypatch.setattr(threads, "run_task", task)
    with pytest.raises(DataFileError, match="frame 4"):
        nearfield.reduce(path, sum=True, workers=3).nearfield.compute(progress=False)
    assert max(ran) < 5
    assert still_running() == []


def test_what_there_is_by_now(path: Path) -> None:
    found = nearfield.reduce(path, mean=True, sum=True, std=True, roi=(slice(3),), workers=2)
    with pytest.raises(UsageError, match="nothing is computed yet"):
        found.nearfield.partial()
    seen: list[xr.Dataset] = []
    done = found.nearfield.compute(progress=lambda *at: seen.append(found.nearfield.partial()))
    for n, some in zip(range(4, 41, 4), seen, strict=True):
        np.testing.assert_array_equal(some["sum"], DATA[:n].sum(0))
        np.testing.assert_allclose(some["mean"], DATA[:n].mean(0))
        np.testing.assert_allclose(some["std"], DATA[:n].std(0), atol=1e-12)
        np.testing.assert_array_equal(some["roi"], DATA[:n, :3].sum((1, 2)))
        assert some.attrs["frame_count"] == n
        assert n == 40 or some.attrs["partial"] == 1
    np.testing.assert_array_equal(done["sum"], DATA.sum(0))
    xr.testing.assert_equal(found.nearfield.partial(), done)


def test_what_there_is_by_now_of_groups(path: Path) -> None:
    shot = np.arange(40) % 3
    found = nearfield.reduce(path, sum=True, by={"shot": shot}, workers=1)
    seen: list[xr.Dataset] = []
    found.nearfield.compute(progress=lambda *at: seen.append(found.nearfield.partial()))
    np.testing.assert_array_equal(seen[1]["sum"].sel(shot=2), DATA[:8][shot[:8] == 2].sum(0))


def test_what_there_is_by_now_without_what_cannot_be_read(path: Path) -> None:
    with h5py.File(path) as file:
        place = file["data"].id.get_chunk_info(5).byte_offset
    with path.open("r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff" * 8)
    found = nearfield.reduce(path, sum=True, workers=1, errors="collect")
    seen: list[xr.Dataset] = []
    with pytest.warns(UserWarning, match="1 of 40 frames"):
        found.nearfield.compute(progress=lambda *at: seen.append(found.nearfield.partial()))
    assert seen[0].sizes["frame"] == 4
    np.testing.assert_array_equal(np.flatnonzero(seen[1]["unreadable"]), [5])
    np.testing.assert_array_equal(seen[1]["sum"], np.delete(DATA[:8], 5, 0).sum(0))


def test_copies_share_one_computation_and_pickles_have_their_own(path: Path) -> None:
    found = nearfield.reduce(path, sum=True)
    twins = [found.copy(), found.copy(deep=True), copy.copy(found)]
    sent = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own
    for twin in [found, *twins]:
        np.testing.assert_array_equal(twin.nearfield.compute(progress=False)["sum"], DATA.sum(0))
    path.unlink()
    for twin in twins:
        twin.load()
    with pytest.raises(DataFileError):
        sent.load()


def test_a_result_can_be_written(path: Path, tmp_path: Path) -> None:
    found = nearfield.reduce(path, sum=True, roi={"a": (slice(2),)}).nearfield.compute(False)
    found.to_netcdf(tmp_path / "out.nc")
    with xr.open_dataset(tmp_path / "out.nc") as again:
        np.testing.assert_array_equal(again["sum"], DATA.sum(0))
        assert again.attrs["source_file"] == str(path)


def test_a_dataset_that_is_made_of_a_result_says_so(path: Path) -> None:
    with pytest.raises(UsageError, match="ask the dataset that it gave"):
        _ = xr.Dataset({"a": 1}).nearfield.cost
