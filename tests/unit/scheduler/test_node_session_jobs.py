"""The socket for worker jobs in a session's life: told to the server, served, ended with it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from nearfield.config import Hardware
from standins.node_job import SERVER, run, session_of, stage, start, until_said
from standins.node_slurm import SlurmOfNode

ASKING = """
import json, os, socket, sys
path = os.environ.get("NEARFIELD_JOBS", "")
print("path", path, flush=True)
if path:
    kernel = socket.socket(socket.AF_UNIX)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    kernel.connect("/proc/self/fd/%d/socket" % folder)
    lines = kernel.makefile("rb")
    def ask(verb, **more):
        kernel.sendall(json.dumps(dict(more, id=1, verb=verb)).encode() + b"\\n")
        return json.loads(lines.readline())
    told = ask("hello", version=1)["result"]
    print("told", json.dumps(told), flush=True)
    pem = "-----BEGIN x"
    started = ask("start", name="w", scheduler="tls://%s:1" % told["address"],
                  python=sys.executable, tls={"ca": pem, "cert": pem, "key": pem})
    print("started", json.dumps(started), flush=True)
"""


def session_folder(tmp_path: Path, **task: Any) -> Path:
    command = [sys.executable, "-I", "-c", ASKING + SERVER]
    folder = stage(tmp_path / "sessions/nearfield-0123456789abcdef", {})
    given = {"command": command, "ports": None, "workers": 2, "sources": {}} | task
    hardware = json.loads(Hardware(cores=4).model_dump_json())
    session = session_of(given, hardware=hardware, minutes=60) | {"name": folder.name}
    (folder / "session.json").write_text(json.dumps(session))
    return folder


def said(out: str, word: str) -> str:
    return next(line for line in out.splitlines() if line.startswith(word + " "))[len(word) + 1 :]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_worker_jobs_live_as_long_as_the_session(tmp_path: Path, number: int) -> None:
    slurm = SlurmOfNode(tmp_path)
    folder = session_folder(tmp_path, slurm=str(slurm.folder))
    job = start(folder)
    assert job.stdout is not None
    with job.stdout:
        out = until_said(job, "listens")
        assert slurm.told("cancelled") == []
        os.kill(job.pid, number)
        out += job.stdout.read()
    assert job.wait(30) == (143 if number == signal.SIGTERM else 79)
    told = json.loads(said(out, "told"))
    assert (told["session"], told["profile"], told["most"]) == (folder.name, "p", 2)
    assert (told["cores"], told["address"], told["possible"]) == (4, "127.0.0.1", True)
    assert 3500 < told["seconds_left"] <= 3600
    started = json.loads(said(out, "started"))["result"]
    assert started["job"] == "101"
    assert slurm.told("cancelled")[:1] == ["101"]
    # The worker's batch script holds the whole program, as this session's did.
    script = "\n".join(slurm.told("script"))
    assert "def run_worker" in script
    assert started["job_name"] in script
    assert not (folder.parent / started["job_name"] / "environment.json").exists()


def test_a_session_without_slurm_has_no_socket(tmp_path: Path) -> None:
    folder = session_folder(tmp_path, slurm=None, command=[sys.executable, "-I", "-c", ASKING])
    _, out = run(folder)
    assert said(out, "path") == ""
