"""Worker jobs on the real cluster, asked for by a kernel of alice's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workerlab.asking import SCHEDULER

pytestmark = pytest.mark.system

InSession = Callable[..., str]

TWO_WORKERS = (
    SCHEDULER
    + """
jobs = [start(name) for name in ("a", "b")]
client.wait_for_workers(2, timeout=60)

def look(dask_worker):
    import os, sys
    return {"node": os.uname().nodename, "inside": os.environ.get("APPTAINER_CONTAINER"),
            "python": sys.executable, "threads": dask_worker.state.nthreads,
            "data": os.listdir(os.environ["NEARFIELD_DATA"]), "uid": os.getuid(),
            "tokens": [name for name in os.environ if "TOKEN" in name],
            "scratch": os.listdir(os.environ["TMPDIR"]), "umask": oct(os.umask(0o27)),
            "argv": open("/proc/self/cmdline").read(), "omp": os.environ["OMP_NUM_THREADS"]}

seen = client.run(look)
status = result("status", log=20)["jobs"]
cancelled = result("cancel", jobs=jobs[:1])["cancelled"]
over = wait_for({"cancelled"}, jobs[0])[jobs[0]]
print(json.dumps({"facts": facts, "seen": list(seen.values()), "jobs": jobs, "status": status,
                  "here": [sys.executable, os.environ.get("APPTAINER_CONTAINER")],
                  "cancelled": cancelled, "over": over, "estimate": result("estimate")["start"]}))
"""
)


@pytest.mark.parametrize("profile", ["inside", "kernel", "venv"])
def test_workers_run_where_the_kernel_runs(idle: Any, in_session: InSession, profile: str) -> None:
    told = json.loads(in_session(profile, TWO_WORKERS, 120).splitlines()[-1])
    facts, jobs = told["facts"], told["jobs"]
    assert (facts["profile"], facts["most"], facts["possible"]) == (profile, 4, True)
    assert (facts["cores"], facts["memory_mb"], facts["minutes"]) == (2, 2000, 30)
    assert facts["address"] == {"na1": "10.99.0.11", "na2": "10.99.0.12"}[facts["node"]]
    for seen in told["seen"]:
        assert [seen["python"], seen["inside"]] == told["here"]
        assert (seen["uid"], seen["threads"], seen["omp"]) == (20001, 2, "1")
        assert (seen["tokens"], seen["umask"]) == ([], "0o27")
        assert sorted(seen["scratch"]) == ["dask-scratch-space", "nearfield-tls"]
        assert "BEGIN" not in seen["argv"]
    for number in jobs:
        job = told["status"][number]
        assert (job["state"], job["failure"]) == ("running", None)
        assert job["node"] in {"na1", "na2"}
        assert "Registered to" in job["log"]
    assert told["cancelled"] == jobs[:1]
    assert told["over"]["state"] == "cancelled"
    assert told["estimate"] > facts["ends"] - 30 * 60 - 5
    # The kernel is gone by now, and with it what it had started.
    assert idle.wait_job(jobs[1], {"CANCELLED"}, timeout=20) == "CANCELLED"
    for folder in worker_folders(idle):
        assert not (folder / "environment.json").exists()
        assert folder.stat().st_mode & 0o777 == 0o700
        for path in folder.iterdir():
            assert "PRIVATE KEY" not in path.read_text()
    assert leftovers(idle) == []


def worker_folders(cluster: Any) -> list[Path]:
    sessions = cluster.home("alice") / ".local/share/nearfield/sessions"
    return sorted(sessions.glob("nearfield-worker-*"), key=lambda path: path.stat().st_mtime)


def leftovers(cluster: Any, seconds: float = 15) -> list[str]:
    """Dask workers of alice's that still run on a node, and folders in its scratch."""
    look = "pgrep -u alice -f distributed.cli.dask_worker; ls -d /tmp/nearfield-*/nearfield-tls"
    end = time.monotonic() + seconds
    while True:
        found = [
            f"{node}: {line}"
            for node in ("na1", "na2")
            for line in cluster.exec_on(node, ["sh", "-c", look]).stdout.splitlines()
        ]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.2)
