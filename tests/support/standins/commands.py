"""Slurm's commands as shell scripts: what they say, and how they fail."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

from nearfield.config import Cluster
from nearfield.scheduler import CommandTask, JobSpec
from nearfield.scheduler.account import SlurmAccount

ME = pwd.getpwuid(os.geteuid()).pw_name
ROW = "{0}|{1}|na1|2026-01-01T00:00:00|2026-01-01T01:00:00|None"
"""Of squeue: number, state."""
ACCT = "{0}|{1}|{2}|na1|2026-01-01T00:00:00|2026-01-01T01:00:00|None"
"""Of sacct: number, state, exit code."""
UNKNOWN_ID = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
MUNGE = "echo 'squeue: error: If munged is up, restart with --num-threads=10' >&2; exit 1"
SPEC = JobSpec(
    name="nf-1", cluster="lab", user=ME, profile="p", task=CommandTask(argv=("/bin/true",))
)

Commands = Callable[..., Cluster]
"""The fixture ``commands``: name of a command = body of its script."""


def commands_in(folder: Path) -> Commands:
    """Makes commands in ``folder``; each is the body of a shell script."""

    def make(**bodies: str) -> Cluster:
        folder.mkdir(exist_ok=True)
        for name, body in bodies.items():
            (folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (folder / name).chmod(0o755)
        return Cluster(bin=folder)

    return make


def says(*lines: str) -> str:
    """A script that prints these lines."""
    return "cat <<'EOF'\n" + "\n".join(lines) + "\nEOF"


def account(cluster: Cluster, folder: Path, **more: float) -> SlurmAccount:
    """Our own account's commands; its sessions are kept below ``folder``."""
    return SlurmAccount(cluster, sessions=folder / "sessions", **more)
