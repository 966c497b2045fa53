"""The estimate of a reduction's time: from what was measured before, and in rounds of tasks."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.reductions import cost, plan, threads

DATA = np.random.default_rng(4).integers(0, 9, (40, 6, 8)).astype("u2")
EACH = DATA[0].nbytes


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TASK", 4 * EACH)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of a clock that stands still; nothing was measured or compiled before."""
    time = [100.0]
    monkeypatch.setattr(cost, "_rates", {})
    monkeypatch.setattr(cost, "_known", set())
    monkeypatch.setattr(cost.time, "monotonic", lambda: time[0])
    return time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, chunks=(1, 6, 8), compression="gzip")
        file.create_dataset("deep", data=DATA, chunks=(8, 6, 4), compression="gzip")
    return tmp_path / "a.h5"


def planned(path: Path, array: str = "data", **asked: object) -> plan.Plan:
    found = nearfield.reduce(path, array=array, sum=True, **asked)
    made: plan.Plan = found.encoding["nearfield_result"].plan
    return made


def run(made: plan.Plan, workers: int, now: list[float], rounds: list[float]) -> None:
    """As ``threads.compute`` calls the clock; each round of tasks takes so many seconds."""
    clock = cost.Clock(made, workers)
    for number, seconds in enumerate(rounds, 1):
        now[0] += seconds
        for task in range(workers * (number - 1), min(workers * number, made.tasks)):
            clock.done(task + 1)
    clock.finished()


@pytest.mark.parametrize("workers", [1, 3, 10, 16])
def test_the_same_again_takes_as_long(path: Path, now: list[float], workers: int) -> None:
    made = planned(path)
    rounds = [2.0] * -(-10 // workers)
    for _ in range(2):
        run(made, workers, now, rounds)
    assert cost.cost_of(made, workers).seconds == pytest.approx(sum(rounds))


@pytest.mark.parametrize("workers", [1, 3, 5])
def test_compiling_is_not_counted(path: Path, now: list[float], workers: int) -> None:
    made = planned(path)
    rounds = [2.0] * -(-10 // workers)
    run(made, workers, now, [30.0, *rounds[1:]])
    assert cost.cost_of(made, workers).seconds == pytest.approx(sum(rounds))


def test_one_round_that_compiles_says_nothing(path: Path, now: list[float]) -> None:
    made = planned(path)
    run(made, 10, now, [30.0])
    assert not cost.cost_of(made, 10).measured
    run(made, 10, now, [2.0])
    assert cost.cost_of(made, 10).seconds == pytest.approx(2.0)


def test_what_takes_no_time_says_nothing(path: Path, now: list[float]) -> None:
    made = planned(path)
    run(made, 1, now, [0.001] * 10)
    assert not cost.cost_of(made, 1).measured


def test_no_more_threads_work_than_there_are_tasks(path: Path, now: list[float]) -> None:
    made = planned(path)
    run(made, 10, now, [9.0])
    run(made, 10, now, [2.0])
    assert cost.cost_of(made, 64).seconds == pytest.approx(2.0)
    assert cost.cost_of(made, 5).seconds == pytest.approx(4.0)
    assert cost.cost_of(made, 9).seconds == pytest.approx(4.0)  # the last one has nobody else


def test_other_reductions_and_ways_of_storing_are_other_kinds(path: Path, now: list[float]) -> None:
    run(planned(path), 1, now, [2.0] * 10)
    assert cost.cost_of(planned(path), 1).measured
    assert not cost.cost_of(planned(path, mean=True), 1).measured
    assert not cost.cost_of(planned(path, "deep"), 1).measured
    assert not cost.cost_of(planned(path, dark=DATA[0]), 1).measured


def test_every_nth_frame_costs_the_chunks_that_hold_it(path: Path, now: list[float]) -> None:
    def bytes_of(array: str, step: int) -> int:
        made = planned(path, array, frames=slice(1, None, step))
        return cost._one_after_another(made, 0, 1)

    assert bytes_of("data", 5) == 8 * EACH
    assert bytes_of("deep", 5) == 8 * 5 * EACH
    assert bytes_of("deep", 20) == 2 * 8 * EACH
    read = cost.stored_bytes(planned(path, frames=slice(1, None, 5)))
    with h5py.File(path) as file:
        chunks = [file["data"].id.get_chunk_info(n) for n in range(40)]
    assert read == sum(c.size for c in chunks if c.chunk_offset[0] % 5 == 1)


def test_a_computation_is_measured(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_rates", {})
    monkeypatch.setattr(cost, "_ENOUGH", 0.0)
    made = planned(path)
    threads.compute(made, 1)
    assert cost.cost_of(made, 1).measured
