"""A reduction by workers in Slurm jobs, on two nodes; and what happens when these end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from workerlab.ends import leftovers, until, worker_jobs

pytestmark = pytest.mark.system

Begun = Callable[[str, str, float], Future[str]]

STACK = """
import json, os, pathlib, time
import dask, h5py, numpy as np
import nearfield
from nearfield.reductions import by_dask, plan

dask.config.set({"distributed.comm.timeouts.tcp": "12s"})  # a node without power is noticed then
folder = pathlib.Path.home() / "on-nodes"
data = np.random.default_rng(7).integers(0, 99, (600, 64, 64)).astype("u2")
path = folder / "stack.h5"
with h5py.File(path, "w") as file:
    file.create_dataset("data", data=data, chunks=(1, 64, 64), compression="gzip", shuffle=True)
plan.TASK, by_dask.ROUND = 2 * data[0].nbytes, 8  # 300 tasks, of which the scheduler has 16
asked = {"mean": True, "std": True, "roi": (slice(30),), "flat": data[0] + 0.5}

def reduced(**how):
    return nearfield.reduce(str(path), **asked).nearfield.compute(how.pop("progress", False), **how)

def tell(word, value=None):
    (folder / "new").write_text(json.dumps(value))
    (folder / "new").rename(folder / word)

def wait_for(word):
    while not (folder / word).exists():
        time.sleep(0.05)

def names():
    return sorted(worker["name"] for worker in cluster.scheduler_info["workers"].values())

def nodes():
    # Which these are is Slurm's word, at the supervisor's next look.
    while True:
        found = {str(job.name): job.node for job in cluster._jobs if job.name in names()}
        if all(found.values()):
            return found
        time.sleep(0.1)
"""
"""Its words to the test are files in alice's home, and so are the test's to it."""

POWER = (
    STACK
    + """
def pause(done, total):
    if done > 200 and not (folder / "working").exists():
        tell("working", [os.uname().nodename, nodes()])
        wait_for("without-power")

by_threads = reduced()
with nearfield.cluster(jobs=3) as cluster:
    cluster.get_client().wait_for_workers(3, timeout=90)
    found = reduced(client=cluster, progress=pause)
    same = {name: found[name].equals(by_threads[name]) for name in ("mean", "std", "roi")}
    print(json.dumps([same, repr(cluster)]))
"""
)


@pytest.fixture
def talk(idle: Any) -> Iterator[Path]:
    """Where the test and the kernel leave words for each other."""
    idle.run_as("alice", ["sh", "-c", "rm -rf ~/on-nodes; mkdir ~/on-nodes"])
    yield idle.home("alice") / "on-nodes"
    idle.run_as("alice", ["rm", "-rf", str(idle.home("alice") / "on-nodes")])


@pytest.fixture
def begun(in_session: Callable[..., str]) -> Iterator[Begun]:
    beside = ThreadPoolExecutor(1)
    yield lambda profile, code, seconds: beside.submit(in_session, profile, code, seconds)
    beside.shutdown(wait=False)


def told(talk: Path, word: str, kernel: Future[str], seconds: float = 90) -> Any:
    """What the kernel says by that word."""
    until((talk / word).exists, lambda there: there or kernel.done(), seconds)
    if not (talk / word).exists():
        pytest.fail(kernel.result(0) if kernel.done() else f"no {word!r} in {seconds} s")
    return json.loads((talk / word).read_text())


def test_a_node_without_power_costs_nothing_but_time(idle: Any, talk: Path, begun: Begun) -> None:
    kernel = begun("spread", POWER, 150)
    here, nodes = told(talk, "working", kernel)
    assert sorted(nodes.values()) in (["na1", "na2", "na2"], ["na1", "na1", "na2"])
    [other] = {"na1", "na2"} - {here}
    idle.kill_node(other)
    try:
        (talk / "without-power").touch()
        same, words = json.loads(kernel.result(100).splitlines()[-1])
    finally:
        idle.boot_node(other)
    assert same == {"mean": True, "std": True, "roi": True}
    assert "of 3 workers" in words


ENDS = (
    STACK
    + """
from nearfield.errors import ClusterError

def pause(done, total):
    tell("working")
    wait_for("cancelled")

cluster = nearfield.cluster(jobs=2)
begun = time.monotonic()
try:
    reduced(client=cluster, progress=pause)
except ClusterError as error:
    tell("ended", [str(error), repr(cluster)])
cluster.scale(1)
cluster.get_client().wait_for_workers(1, timeout=60)
tell("again", nodes())
os.kill(os.getpid(), 9)
"""
)


def test_clear_ends(idle: Any, talk: Path, begun: Begun) -> None:
    """All workers are cancelled from outside; later the kernel is killed."""
    kernel = begun("inside", ENDS, 120)
    told(talk, "working", kernel)
    idle.run_as("alice", ["scancel", *worker_jobs(idle)])
    (talk / "cancelled").touch()
    error, words = told(talk, "ended", kernel, 40)
    assert "all its jobs were cancelled from outside" in error
    assert "ended" in words
    assert len(told(talk, "again", kernel, 60)) == 1
    assert leftovers(idle) == []


LIMIT = (
    STACK
    + """
from distributed import wait

with nearfield.cluster(jobs=1, minutes=2) as cluster:
    client = cluster.get_client()
    client.wait_for_workers(1, timeout=60)
    held = client.submit(os.getpid)
    first, lines, begun = held.result(), [], time.monotonic()
    while "w1" in (there := names()) and time.monotonic() < begun + 110:
        lines.append(there)
        time.sleep(0.2)
    print(json.dumps([lines, names(), held.result() == first, time.monotonic() - begun]))
"""
)


@pytest.mark.soak
def test_a_worker_at_its_limit_is_replaced_in_time(idle: Any, talk: Path, begun: Begun) -> None:
    kernel = begun("inside", LIMIT, 180)
    lines, last, kept, seconds = json.loads(kernel.result(180).splitlines()[-1])
    assert lines[-1] == ["w1", "w2"]  # both for a while
    assert last == ["w2"]
    assert kept  # what it held has moved
    assert seconds < 90
    assert leftovers(idle) == []
