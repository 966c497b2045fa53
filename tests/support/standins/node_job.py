"""The node program as a job, without Slurm."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nearfield.scheduler import node_program
from nearfield.scheduler.node.batch import START

SERVER = """
import os, socket, sys, time, urllib.parse
url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
s = socket.socket(); s.bind((url.hostname, url.port)); s.listen()
print("serving", flush=True)
time.sleep(60)
"""


TASK: dict[str, Any] = {
    "kind": "session",
    "image": None,
    "apptainer": None,
    "command": ["/bin/true"],
    "mounts": [],
    "datasets": [],
    "callback_url": None,
    "bind_address": "127.0.0.1",
    "server": "image",
    "kernel": ["python3", "-m", "ipykernel_launcher"],
    "runtime": {"venv": None, "modules": [], "modules_init": "/nosuch"},
    "environment_name": "e",
    "title": "E",
    "default_url": "",
    "layer": False,
    "signature": None,
    "warn_minutes": [],
    "grace_seconds": 0,
}


def session_of(task: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What ``session.json`` holds."""
    return {"version": 1, "name": "nf-1", "cluster": "x", "user": "me", "profile": "p",
            "gpus": 0, "task": TASK | task, **more}  # fmt: skip


def stage(folder: Path, task: dict[str, Any], environment: dict[str, str] | None = None) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "session.json").write_text(json.dumps(session_of(task)))
    (folder / "environment.json").write_text(json.dumps(environment or {}))
    return folder


def start(folder: Path, python: str = sys.executable, **popen: Any) -> subprocess.Popen[str]:
    job = subprocess.Popen(
        [python, "-I", "-c", START, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "PYTHONPATH": "/nosuch",
             "LD_LIBRARY_PATH": "/nosuch", "SLURM_JOB_ID": "7"},
        **popen,
    )  # fmt: skip
    assert job.stdin is not None
    job.stdin.write(node_program.text())
    job.stdin.close()
    return job


def until_said(job: subprocess.Popen[str], *words: str) -> str:
    """What the job says, up to the line that brings the last of these words."""
    assert job.stdout is not None
    seen = ""
    while not all(word in seen for word in words):
        line = job.stdout.readline()
        assert line, seen
        seen += line
    return seen


def term_was_dealt_with(job: subprocess.Popen[str], canary: int | None = None) -> None:
    """Wait until the node program has decided whom to pass a signal on to, and has done so.

    It looks at its canary first; then it sleeps until the server ends. A canary that the signal
    has killed is collected in that look.
    """
    end = time.monotonic() + 30
    while (canary and Path(f"/proc/{canary}").exists()) or _state(job.pid) != "S":
        assert time.monotonic() < end
        time.sleep(0.01)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def run(folder: Path) -> tuple[int, str]:
    job = start(folder)
    assert job.stdout is not None
    with job.stdout:
        out = job.stdout.read()
    return job.wait(30), out
