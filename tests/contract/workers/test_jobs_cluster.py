"""nearfield.cluster(jobs=…): real workers, TLS and scheduler; their jobs are local processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from distributed import Client

import nearfield
from nearfield.errors import BlockedError, ClusterError, ReductionCancelledError, UsageError
from nearfield.reductions import by_dask, plan
from nearfield.workers.jobs_cluster import JobsCluster
from nearfield.workers.supervising import Pace
from workerlab.broker import LocalBroker

DATA = np.random.default_rng(7).integers(0, 99, (400, 6, 8)).astype("u2")
FLAT = np.random.default_rng(1).random((6, 8)) + 0.1


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "TASK", 2 * DATA[0].nbytes)
    monkeypatch.setattr(by_dask, "ROUND", 8)
    monkeypatch.setattr(JobsCluster, "LOOK", 0.2)
    pace = Pace(start=5, leave=5, lost=2, brief=0.5, hold=2, again=0.2, tries=2, worth=1)
    monkeypatch.setattr(JobsCluster, "PACE", pace)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    with LocalBroker(tmp_path) as broker:
        yield broker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=DATA, chunks=(1, 6, 8), compression="gzip")
    return tmp_path / "a.h5"


def until(true: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def names(cluster: Any) -> set[str]:
    return {worker["name"] for worker in cluster.scheduler_info["workers"].values()}


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    for found in (one, other):
        found.attrs.pop("partial")  # as the file is fresh or not
    xr.testing.assert_identical(one, other)


def test_two_jobs_and_one_that_dies(broker: LocalBroker, path: Path) -> None:
    asked = {"mean": True, "std": True, "roi": (slice(3),), "flat": FLAT}
    by_threads = nearfield.reduce(path, **asked).nearfield.compute(progress=False)
    killed: list[str] = []
    with nearfield.cluster(jobs=2) as cluster:
        until(lambda: len(names(cluster)) == 2)

        def kill(done: int, total: int) -> None:
            if done > 100 and not killed:
                killed.append(sorted(names(cluster))[0])
                broker.kill(killed[0])

        found = nearfield.reduce(path, **asked).nearfield.compute(kill, client=cluster)
        same(found, by_threads)
        until(lambda: "w3" in names(cluster) and killed[0] not in names(cluster))
        assert len(broker.alive()) == 2
    assert broker.alive() == []
    assert broker.released.wait(10)


def test_what_a_worker_is_asked_for_with(broker: LocalBroker) -> None:
    broker.pending = True
    with nearfield.cluster(jobs=1, threads=3, minutes=7) as cluster:
        said = repr(cluster)
        assert "0 of 1 workers" in said
        assert "1 pending" in said
        assert "the next one starts at about" in said
        assert "pending" in cluster._repr_html_()
        assert "<td>w1</td><td>100</td>" in cluster._repr_html_()
    [start] = broker.started
    assert start["scheduler"].startswith("tls://127.0.0.1:")
    assert (start["threads"], start["minutes"]) == (3, 7)
    assert start["tls"]["key"].startswith("-----BEGIN PRIVATE KEY-----")


def test_nobody_without_the_key_comes_in(broker: LocalBroker) -> None:
    broker.pending = True
    with nearfield.cluster(jobs=1) as cluster:
        port = cluster.scheduler_address.rpartition(":")[2]
        for address in (f"tcp://127.0.0.1:{port}", f"tls://127.0.0.1:{port}"):
            with pytest.raises((OSError, TypeError, RuntimeError)):
                Client(address, timeout=2)


def test_jobs_that_end_at_once_are_not_started_for_ever(broker: LocalBroker, path: Path) -> None:
    broker.command = ["/bin/sh", "-c", "echo no such image >&2; exit 3"]
    with nearfield.cluster(jobs=2) as cluster:
        with pytest.raises(ClusterError, match="exit code 3, last words: no such image"):
            nearfield.reduce(path, sum=True).nearfield.compute(False, client=cluster)
        assert "ended, its workers cannot be started" in repr(cluster)
        assert len(broker.jobs) == 4
        broker.command = None
        cluster.scale(1)
        found = nearfield.reduce(path, sum=True).nearfield.compute(False, client=cluster)
        np.testing.assert_array_equal(found["sum"], DATA.sum(0))


def test_all_cancelled_from_outside_is_a_clear_end(broker: LocalBroker, path: Path) -> None:
    with nearfield.cluster(jobs=2, threads=2) as cluster, Client(cluster) as client:
        until(lambda: len(names(cluster)) == 2)
        waits = client.submit(time.sleep, 600)

        def cancel(done: int, total: int) -> None:
            if done > 50:
                broker.scancel()

        with pytest.raises(ClusterError, match="cancelled from outside"):
            nearfield.reduce(path, sum=True).nearfield.compute(cancel, client=client)
        until(lambda: waits.status == "cancelled")  # any other Dask code does not hang either
        late = client.submit(time.time)
        until(lambda: late.status == "cancelled")
        assert len(broker.jobs) == 2


def test_a_worker_near_its_limit_is_replaced_before(broker: LocalBroker) -> None:
    broker.lives["w1"] = 20.0
    with nearfield.cluster(jobs=1, minutes=1) as cluster, Client(cluster) as client:
        until(lambda: names(cluster) == {"w1"})
        held = client.submit(os.getpid, workers=["w1"], allow_other_workers=True)
        before = held.result()
        until(lambda: "w2" in names(cluster))
        until(lambda: names(cluster) == {"w2"})
        assert held.result() == before  # moved, not computed again
        until(lambda: broker.alive() == ["w2"])


def test_scaled_up_and_down(broker: LocalBroker) -> None:
    with nearfield.cluster(jobs=1) as cluster:
        until(lambda: len(names(cluster)) == 1)
        cluster.scale(jobs=2)
        until(lambda: len(names(cluster)) == 2)
        cluster.scale(1)
        until(lambda: len(broker.alive()) == 1)
        assert broker.alive() == ["w1"]
        with pytest.raises(UsageError, match="lets a session start 4"):
            cluster.scale(5)
        with pytest.raises(UsageError, match="there is no adapt"):
            cluster.adapt(minimum=1)


def test_the_sessions_end_is_the_clusters(broker: LocalBroker, path: Path) -> None:
    with nearfield.cluster(jobs=1) as cluster:
        until(lambda: len(names(cluster)) == 1)

        def end(done: int, total: int) -> None:
            broker.hang_up()

        with pytest.raises((ClusterError, ReductionCancelledError), match="session ends"):
            nearfield.reduce(path, sum=True).nearfield.compute(end, client=cluster)


@pytest.mark.parametrize(
    ("hello", "words"),
    [({"possible": False, "why": "this node has no sbatch"}, "has no sbatch")],
)
def test_a_session_that_may_start_nothing(
    broker: LocalBroker, hello: dict[str, Any], words: str
) -> None:
    broker.hello = hello
    with pytest.raises(BlockedError, match=words):
        nearfield.cluster(jobs=1)


def test_a_job_that_is_refused(broker: LocalBroker) -> None:
    broker.refuse = {"start": "refused"}
    with pytest.raises(ClusterError, match="no start today"):
        nearfield.cluster(jobs=1)


def test_an_interrupted_start_leaves_nothing(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.pending = True
    made = JobsCluster._instances.copy()
    monkeypatch.setattr(JobsCluster, "_begin", interrupted_after(JobsCluster._begin))
    with pytest.raises(RuntimeError, match="interrupted"):
        nearfield.cluster(jobs=2)
    assert broker.released.wait(10)
    assert broker.alive() == []
    assert {one.status.name for one in JobsCluster._instances - made} <= {"closed"}


def interrupted_after(begin: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def interrupted(self: Any) -> None:
        await begin(self)
        raise RuntimeError("interrupted")

    return interrupted


def test_more_than_the_profile_allows(broker: LocalBroker) -> None:
    with pytest.raises(UsageError, match="profile 'small' lets a session start 4"):
        nearfield.cluster(jobs=5)


def test_outside_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEARFIELD_JOBS", raising=False)
    with pytest.raises(BlockedError, match="in no session that may start jobs"):
        nearfield.cluster(jobs=1)


def test_threads_of_this_process(path: Path) -> None:
    with nearfield.cluster(threads=2) as cluster:
        found = nearfield.reduce(path, sum=True).nearfield.compute(False, client=cluster)
        np.testing.assert_array_equal(found["sum"], DATA.sum(0))
        assert next(iter(cluster.scheduler_info["workers"].values()))["nthreads"] == 2
    with pytest.raises(UsageError, match="jobs=0"):
        nearfield.cluster(jobs=0)
