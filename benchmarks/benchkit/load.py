"""Many servers at once, Slurm's RPC counters, CPU time of processes."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchkit.site import PEOPLE
from hublab.client import HubClient


def keys(count: int) -> list[tuple[str, str]]:
    """So many servers, spread over the people of the test site."""
    return [(PEOPLE[n % len(PEOPLE)], f"b{n}") for n in range(count)]


def start_all(hub: HubClient, wanted: Iterable[tuple[str, str]], options: dict[str, Any]) -> None:
    """Start servers, some at a time, and wait until all are ready."""
    asked = list(wanted)

    def start(key: tuple[str, str]) -> None:
        path = f"users/{key[0]}/servers/{key[1]}"
        answer = hub.api("POST", path, json=options, timeout=300)
        if answer.status_code >= 400:
            raise RuntimeError(f"{key}: {answer.text[:300]}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(start, asked))
    deadline = time.monotonic() + 300
    while missing := [k for k in asked if k not in ready(hub)]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not ready: {missing[:5]} and others\n{hub.tail()}")
        time.sleep(1)


def ready(hub: HubClient) -> set[tuple[str, str]]:
    users = hub.api("GET", "users").json()
    return {
        (user["name"], name)
        for user in users
        for name, server in (user.get("servers") or {}).items()
        if server["ready"]
    }


def rpcs(cluster: Any) -> dict[str, int]:
    """slurmctld's RPCs by user since the counters were reset."""
    text = _slurm(cluster, "sdiag")
    part = text.split("Remote Procedure Call statistics by user", 1)[1].split("\n\n", 1)[0]
    rows = re.findall(r"^\s*(\S+)\s*\(\s*\d+\) count:(\d+)", part, re.MULTILINE)
    return {user: int(count) for user, count in rows}


def reset_rpcs(cluster: Any) -> None:
    _slurm(cluster, "sdiag", "-r")


def _slurm(cluster: Any, *argv: str) -> str:
    env = os.environ | {"SLURM_CONF": str(cluster.slurm_conf("lab"))}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
