"""From a click to a server that answers, on an idle cluster: ours, batchspawner's, and none.

``python benchmarks/spawn_time.py [N]``: the median of N starts each, in turn, so that a change of
the machine's speed meets all alike. The click is the POST that the spawn page makes too; JupyterHub
answers it once the server is ready.
"""

from __future__ import annotations

import json
import secrets
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from benchkit.report import Report, Target
from benchkit.site import nearfield, plain_batchspawner, test_cluster

USER = "alice"
BARE = """#!/bin/sh
set -a
. {folder}/environment
exec {venv}/bin/jupyterhub-singleuser
"""


def click(hub: Any, options: dict[str, Any]) -> float:
    """Seconds from the click to ready."""
    began = time.perf_counter()
    answer = hub.api("POST", f"users/{USER}/server", json=options, timeout=120)
    took = time.perf_counter() - began
    if answer.status_code != 201:
        raise RuntimeError(f"{answer.status_code} {answer.text[:400]}\n{hub.tail()}")
    return took


def clear(hub: Any) -> None:
    hub.stop_server(USER)
    while hub.cluster.squeue(USER) and any(
        state in {"RUNNING", "PENDING", "COMPLETING"} for state in hub.cluster.squeue(USER).values()
    ):
        time.sleep(0.2)
    time.sleep(1)


def bare(hub: Any) -> float:
    """``sbatch`` and jupyterhub-singleuser alone, until it answers."""
    cluster, port = hub.cluster, 20000 + secrets.randbelow(5000)
    folder = Path(cluster.home(USER)) / "bench"
    token, prefix = hub.user_token(USER), f"/user/{USER}/bare/"
    variables = {
        "JUPYTERHUB_API_TOKEN": token,
        "JUPYTERHUB_API_URL": f"http://10.99.0.1:{hub.ports['hub']}/hub/api",
        "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{USER}",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": json.dumps([f"access:servers!user={USER}"]),
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
        "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:{port}{prefix}",
        "JUPYTERHUB_USER": USER,
        "JUPYTERHUB_BASE_URL": "/",
    }
    cluster.run_as(USER, ["mkdir", "-p", str(folder)])
    text = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    cluster.run_as(USER, ["tee", str(folder / "environment")], input=text)
    argv = ["sbatch", "--parsable", "-p", "short", "-w", "na1", "--mem=800", "-o", "/dev/null"]
    began = time.perf_counter()
    done = cluster.run_as(USER, argv, input=BARE.format(folder=folder, venv=cluster.hub_venv))
    job = done.stdout.strip()
    while True:
        try:
            if httpx.get(f"http://na1:{port}{prefix}api", timeout=1).status_code < 500:
                break
        except httpx.HTTPError:
            pass
        if time.perf_counter() - began > 60:
            raise RuntimeError(f"job {job} does not answer: {done.stderr}")
        time.sleep(0.02)
    took = time.perf_counter() - began
    cluster.run_as(USER, ["scancel", job])
    while cluster.squeue(USER).get(job) in {"RUNNING", "COMPLETING", "PENDING"}:
        time.sleep(0.1)
    return took


def stages(hub: Any, options: dict[str, Any]) -> list[tuple[float, str]]:
    """One start with the time at which each stage is told."""
    told: list[tuple[float, str]] = []
    began = time.perf_counter()
    starter = threading.Thread(target=click, args=(hub, options))
    starter.start()
    time.sleep(0.05)
    headers = {"Authorization": f"token {hub.admin_token}"}
    url = f"{hub.url}/hub/api/users/{USER}/server/progress"
    with httpx.stream("GET", url, headers=headers, timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line[5:])
                told.append((time.perf_counter() - began, event.get("message", "")))
                if event.get("ready") or event.get("failed"):
                    break
    starter.join()
    return told


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    took: dict[str, list[float]] = {
        name: [] for name in ("bare", "batchspawner", "nearfield", "image", "plain")
    }
    with (
        test_cluster() as cluster,
        nearfield(cluster) as ours,
        plain_batchspawner(cluster) as theirs,
    ):
        for number in range(count + 1):
            seconds = {"bare": bare(ours)}
            for name, hub, options in (
                ("batchspawner", theirs, {}),
                ("nearfield", ours, {"profile": "venv"}),
                ("image", ours, {"profile": "small"}),
                ("plain", ours, {"profile": "plain"}),
            ):
                seconds[name] = click(hub, options)
                clear(hub)
            print(number, {k: round(v, 2) for k, v in seconds.items()}, flush=True)
            if number:  # the first warms caches
                for name, value in seconds.items():
                    took[name].append(value)
        profiles = []
        for profile in ("venv", "small"):
            profiles.append((profile, stages(ours, {"profile": profile})))
            clear(ours)
    median = {name: statistics.median(values) for name, values in took.items()}
    report = Report(
        "spawn_time",
        "Click to ready",
        f"Median of {count} starts on an idle cluster, sides in turn, the first of each left out."
        " The same venv on all sides; `image` is the same server in an Apptainer image, `plain` is"
        " ours with `jupyterhub-singleuser` in place of `nearfield-singleuser`.",
    )
    report.data = {
        "seconds": {k: [round(v, 3) for v in values] for k, values in took.items()},
        "median": {k: round(v, 3) for k, v in median.items()},
        "stages": {name: [(round(at, 3), text) for at, text in told] for name, told in profiles},
    }
    report.targets = [
        Target("of batchspawner's time", median["nearfield"] / median["batchspawner"], 0.75),
        Target("of bare sbatch + singleuser", median["nearfield"] / median["bare"], 1.25),
        Target("seconds that Apptainer adds", median["image"] - median["nearfield"], 0.7),
    ]
    report.table(
        ("start", "median s", "least", "most"),
        [(name, median[name], min(values), max(values)) for name, values in took.items()],
    )
    for name, told in profiles:
        report.table((f"stage, `{name}`", "at s"), [(text, at) for at, text in told])
    return 0 if report.write() else 1


if __name__ == "__main__":
    sys.exit(main())
