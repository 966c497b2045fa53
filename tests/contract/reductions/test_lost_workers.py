"""Reductions on worker processes that are killed, and on files that change under them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster

import nearfield
from nearfield.errors import DataFileError, ReductionCancelledError
from nearfield.reductions import by_dask, plan

DATA = np.random.default_rng(7).integers(0, 99, (400, 6, 8)).astype("u2")
FLAT = np.random.default_rng(1).random((6, 8)) + 0.1


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    # 200 tasks in rounds of 8, of which the scheduler has two: nothing is over before its time.
    monkeypatch.setattr(plan, "TASK", 2 * DATA[0].nbytes)
    monkeypatch.setattr(by_dask, "ROUND", 8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, chunks=(1, 6, 8), compression="gzip")
    return tmp_path / "a.h5"


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_a_worker_that_is_killed_costs_its_tasks_alone(path: Path, client: Client) -> None:
    asked = {"mean": True, "std": True, "roi": (slice(3),), "flat": FLAT}
    by_threads = nearfield.reduce(path, **asked).nearfield.compute(progress=False)
    pids = list(client.run(os.getpid).values())
    told: list[int] = []

    def kill(done: int, total: int) -> None:
        told.append(done)
        if done > 100 and pids:
            os.kill(pids.pop(), signal.SIGKILL)
            pids.clear()

    found = nearfield.reduce(path, **asked).nearfield.compute(kill, client=client)
    for one in (found, by_threads):
        one.attrs.pop("partial")  # as the file is fresh or not
    xr.testing.assert_identical(found, by_threads)
    assert told == sorted(set(told))
    assert not pids


def test_a_file_that_is_replaced_meanwhile_is_an_error(path: Path, client: Client) -> None:
    def replace(done: int, total: int) -> None:
        if path.stat().st_ino == before:
            path.with_suffix(".new").write_bytes(path.read_bytes())
            path.with_suffix(".new").replace(path)

    before = path.stat().st_ino
    with pytest.raises(DataFileError, match="was replaced") as error:
        nearfield.reduce(path, sum=True).nearfield.compute(replace, client=client)
    assert error.value.path == str(path)


def test_a_cluster_that_is_closed_ends_the_computation(path: Path, client: Client) -> None:
    def close(done: int, total: int) -> None:
        client.cluster.close()

    with pytest.raises(ReductionCancelledError, match="closed, or lost"):
        nearfield.reduce(path, sum=True).nearfield.compute(close, client=client)
