"""What is really there: Slurm's jobs of everybody, the hub's database, the proxy's routes.

Nothing of Nearfield is asked, so that its mistakes cannot hide here.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from hublab.process import HubProcess

ALIVE = frozenset(
    {"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "RESIZING"}
)
SESSION = re.compile(r"nearfield-[0-9a-f]{16}")


@dataclass(frozen=True)
class Job:
    name: str
    number: str
    user: str
    state: str
    host: str = ""


@dataclass(frozen=True)
class Row:
    """A spawner as the hub's database has it."""

    user: str
    server: str
    active: bool
    job_name: str
    number: str
    ended: dict[str, Any] | None = None
    """How the last session ended, as the user will be told."""


@dataclass
class Ledger:
    """One look at all three."""

    jobs: list[Job]
    rows: list[Row]
    routes: dict[str, str]
    leftovers: set[tuple[str, str]] = field(default_factory=set)
    """Account and name of the jobs that the hub means to cancel yet."""
    submitted: Counter[str] = field(default_factory=Counter)
    """Session name → how often accounting has it, ended jobs included."""

    @property
    def alive(self) -> dict[str, Job]:
        """Live jobs by name. Two of a name are told by :meth:`faults`."""
        return {job.name: job for job in self.jobs if job.state in ALIVE}

    def row(self, user: str, server: str) -> Row | None:
        return next((r for r in self.rows if (r.user, r.server) == (user, server)), None)

    def faults(self) -> list[str]:
        """Jobs that nobody answers for, and starts that were queued twice."""
        owners = {(r.user, r.job_name) for r in self.rows if r.active and r.job_name}
        found = []
        for job in self.jobs:
            if job.state in ALIVE and (job.user, job.name) not in owners:
                kept = " (kept to be cancelled)" if (job.user, job.name) in self.leftovers else ""
                found.append(f"orphan{kept}: {job}")
        found += [f"double: {name} {n} times" for name, n in self.submitted.items() if n > 1]
        return found


def look(hub: HubProcess) -> Ledger:
    """Ask Slurm as root, the database's file and the proxy."""
    return Ledger(_jobs(hub), _rows(hub), _routes(hub), _leftovers(hub), _submitted(hub))


def _slurm(hub: HubProcess, *argv: str) -> list[list[str]]:
    """Rows of a command whose first field is the job's name. Other tests use names that break."""
    env = os.environ | {"SLURM_CONF": str(hub.cluster.slurm_conf("lab"))}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=True)
    rows = [line.split("|") for line in done.stdout.splitlines()]
    return [row for row in rows if SESSION.fullmatch(row[0]) and len(row) > 1]


def _jobs(hub: HubProcess) -> list[Job]:
    rows = _slurm(hub, "squeue", "-ah", "-t", "all", "-o", "%j|%A|%u|%T|%B")
    return [Job(*row) for row in rows]


def _submitted(hub: HubProcess) -> Counter[str]:
    rows = _slurm(hub, "sacct", "-nXPa", "-S", hub.born, "-o", "JobName,JobIDRaw")
    return Counter(name for name, _ in {tuple(row) for row in rows})


def _rows(hub: HubProcess) -> list[Row]:
    database = sqlite3.connect(f"file:{hub.folder / 'jupyterhub.sqlite'}?mode=ro", uri=True)
    try:
        found = database.execute(
            "select users.name, spawners.name, spawners.server_id, spawners.state"
            " from spawners join users on users.id = spawners.user_id"
        ).fetchall()
    finally:
        database.close()
    return [_row(*one) for one in found]


def _leftovers(hub: HubProcess) -> set[tuple[str, str]]:
    database = sqlite3.connect(f"file:{hub.folder / 'jupyterhub.sqlite'}?mode=ro", uri=True)
    try:
        found = database.execute("select told from nearfield_leftovers").fetchall()
    except sqlite3.OperationalError:
        return set()  # the hub has made no spawner yet
    finally:
        database.close()
    return {(kept["user"], kept["name"]) for kept in (json.loads(told) for (told,) in found)}


def _row(user: str, server: str, server_id: int | None, text: str | None) -> Row:
    state: dict[str, Any] = json.loads(text or "{}") or {}
    return Row(
        user=user,
        server=server,
        active=server_id is not None,
        job_name=state.get("job_name", ""),
        number=str(state.get("job_id", "")).rpartition("/")[2],
        ended=state.get("ended"),
    )


def _routes(hub: HubProcess) -> dict[str, str]:
    answer = httpx.get(
        f"http://127.0.0.1:{hub.ports['api']}/api/routes",
        headers={"Authorization": f"token {hub.proxy_token}"},
        timeout=30,
    )
    return {path: str(route["target"]) for path, route in answer.json().items()}
