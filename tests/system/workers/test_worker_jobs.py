"""Worker jobs on the real cluster, asked for by a kernel of alice's."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from workerlab.asking import SCHEDULER
from workerlab.ends import leftovers

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


def test_workers_run_where_the_kernel_runs(idle: Any, in_session: InSession) -> None:
    """The server in the image, a kernel alone in it, no image: side by side."""
    profiles = ("inside", "kernel", "venv")
    with ThreadPoolExecutor(3) as beside:
        printed = list(beside.map(lambda name: in_session(name, TWO_WORKERS, 120), profiles))
    for profile, words in zip(profiles, printed, strict=True):
        check(idle, profile, json.loads(words.splitlines()[-1]))
    assert leftovers(idle) == []


def check(cluster: Any, profile: str, told: dict[str, Any]) -> None:
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
    assert (told["here"][1] is None) == (profile == "venv")
    assert ("/nearfield/layers/alone/" in told["here"][0]) == (profile == "kernel")
    sessions = cluster.home("alice") / ".local/share/nearfield/sessions"
    for number in jobs:
        job = told["status"][number]
        assert (job["state"], job["failure"]) == ("running", None)
        assert job["node"] in {"na1", "na2"}
        assert "Registered to" in job["log"]
        folder = sessions / job["job_name"]
        assert not (folder / "environment.json").exists()
        assert folder.stat().st_mode & 0o777 == 0o700
        for path in folder.iterdir():
            assert "PRIVATE KEY" not in path.read_text()
    assert told["cancelled"] == jobs[:1]
    assert told["over"]["state"] == "cancelled"
    assert told["estimate"] > facts["ends"] - 30 * 60 - 5
    # The kernel is gone by now, and with it what it had started.
    assert cluster.wait_job(jobs[1], {"CANCELLED"}, timeout=20) == "CANCELLED"
