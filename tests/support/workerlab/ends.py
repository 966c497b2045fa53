"""What there is of worker jobs on the cluster, and what is left of them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

NODES = ("na1", "na2")
DASK = "distributed.cli.dask_worker"
Found = TypeVar("Found")


def until(look: Callable[[], Found], fits: Callable[[Found], bool], seconds: float) -> Found:
    """What is found once it fits, or when the time is over."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if fits(found) or time.monotonic() > end:
            return found
        time.sleep(0.1)


def worker_jobs(cluster: Any) -> dict[str, Path]:
    """The numbers and folders of alice's worker jobs that are not over."""
    argv = ["squeue", "-h", "-u", "alice", "-o", "%A|%j"]
    env = os.environ | {"SLURM_CONF": str(cluster.slurm_conf("lab"))}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=True)
    rows = (line.split("|") for line in done.stdout.splitlines())
    sessions = cluster.home("alice") / ".local/share/nearfield/sessions"
    return {job: sessions / name for job, name in rows if name.startswith("nearfield-worker-")}


def log_of(folder: Path) -> str:
    return (folder / "log").read_text()


def processes(cluster: Any, pattern: str, nodes: tuple[str, ...] = NODES) -> list[tuple[str, int]]:
    """(node, pid) of alice's processes whose command line matches."""
    return [
        (node, int(line))
        for node in nodes
        for line in cluster.exec_on(node, ["pgrep", "-u", "alice", "-f", pattern]).stdout.split()
    ]


def leftovers(cluster: Any, seconds: float = 40) -> list[str]:
    """What is left after ``seconds``: worker jobs, their processes and folders on the nodes.

    Slurm kills what has not ended 30 s after it was asked to.
    """
    keys = ["sh", "-c", "ls -d /tmp/nearfield-*/nearfield-tls"]

    def look() -> list[str]:
        found = [f"job {number}: {log_of(path)}" for number, path in worker_jobs(cluster).items()]
        found += [f"process {p}" for p in processes(cluster, DASK)]
        return found + [p for n in NODES for p in cluster.exec_on(n, keys).stdout.splitlines()]

    return until(look, lambda found: not found, seconds)
