"""The time limit on the node: warnings on time, TERM once, an end that is told as what it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from nearfield.scheduler import node_program
from nearfield.scheduler.node import limit
from nearfield.scheduler.node.limit import Limit, end_of_job
from nearfield_spawners.endings import EXIT_TIME_LIMIT
from standins.node_job import session_of, term_was_dealt_with, until_said

NOW = 1_800_000_000.0
SERVER = """
import os, signal, socket, sys, time, urllib.parse
def note(number, frame):
    print("TERM", flush=True)
signal.signal(signal.SIGTERM, note)
print("ends", os.environ["NEARFIELD_ENDS"], flush=True)
url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
s = socket.socket(); s.bind((url.hostname, url.port)); s.listen()
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    monkeypatch.delenv("SLURM_JOB_START_TIME", raising=False)


def session(folder: Path, *, minutes: int = 60, **task: Any) -> dict[str, Any]:
    command = [sys.executable, "-I", "-c", SERVER, str(folder / "go")]
    limits = {"command": command, "warn_minutes": [15, 5], "grace_seconds": 60}
    return session_of(limits | task, minutes=minutes)


@pytest.mark.parametrize(
    ("environment", "ends"),
    [
        ({"SLURM_JOB_END_TIME": "1800000100"}, 1800000100),
        ({"SLURM_JOB_START_TIME": "1799999900"}, 1799999900 + 3600),
        ({"SLURM_JOB_END_TIME": "0", "SLURM_JOB_START_TIME": "x"}, NOW + 3600),
        ({}, NOW + 3600),
    ],
)
def test_when_the_job_ends(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], ends: float
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert end_of_job(60, NOW) == ends


def test_nobody_knows_when_it_ends(tmp_path: Path) -> None:
    assert end_of_job(None, NOW) is None
    told = session(tmp_path)
    del told["minutes"]
    unlimited = Limit(str(tmp_path), told, NOW)
    unlimited.warn(NOW + 1e6)
    assert unlimited.sleep_for(NOW) == 3600
    assert not (tmp_path / "warning.json").exists()


def test_warnings_come_on_time_and_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Limit(str(tmp_path), session(tmp_path), NOW)
    file = tmp_path / "warning.json"
    assert told.sleep_for(NOW) == 45 * 60
    told.warn(NOW + 45 * 60 - 1)
    assert not file.exists()
    told.warn(NOW + 45 * 60)
    assert json.loads(file.read_text()) == {
        "version": 1,
        "minutes": 15,
        "message": "This session reaches its time limit in about 15 min.",
        "ends": NOW + 3600,
        "at": NOW + 2700,
    }
    assert file.stat().st_mode & 0o777 == 0o600
    assert told.sleep_for(NOW + 45 * 60) == 10 * 60
    told.warn(NOW + 56 * 60)
    told.warn(NOW + 57 * 60)
    assert json.loads(file.read_text())["minutes"] == 5
    assert capsys.readouterr().out.count("time limit") == 2
    assert list(tmp_path.iterdir()) == [file], "nothing half-written stays"


def test_a_short_session_is_warned_once(tmp_path: Path) -> None:
    told = Limit(str(tmp_path), session(tmp_path, minutes=3), NOW)
    assert told.sleep_for(NOW) == 0
    told.warn(NOW)
    found = json.loads((tmp_path / "warning.json").read_text())
    assert (found["minutes"], found["message"]) == (
        5,
        "This session reaches its time limit in about 3 min.",
    )
    assert told.sleep_for(NOW) == 3600


class Hub(BaseHTTPRequestHandler):
    """Takes reports and remembers them."""

    told: list[tuple[str, Any, str | None]] = []  # noqa: RUF012 - emptied by the fixture

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append((self.path, body, self.headers["Authorization"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def hub(socket_enabled: None) -> Iterator[str]:
    Hub.told.clear()
    server = HTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hub/api/nearfield/port"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_signal_of_the_limit(tmp_path: Path, hub: str) -> None:
    """TERM once, a warning file, and an exit code of its own; stages are told on the way."""
    folder = tmp_path / "nf-1"
    (folder / "data").mkdir(parents=True)
    (folder / "session.json").write_text(json.dumps(session(folder, callback_url=hub)))
    secret = {"JUPYTERHUB_API_TOKEN": "t0ken"}
    (folder / "environment.json").write_text(json.dumps(secret))
    job = subprocess.Popen(
        ["/bin/sh", "-c", f"trap '' USR2; exec {sys.executable} -I - {folder}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "SLURM_JOB_END_TIME": "4000000000"},
    )  # fmt: skip
    assert job.stdin is not None
    assert job.stdout is not None
    with job.stdout:
        job.stdin.write(node_program.text())
        job.stdin.close()
        out = until_said(job, "listens")
        os.kill(job.pid, signal.SIGUSR2)
        out += until_said(job, "TERM\n")
        term_was_dealt_with(job)
        (folder / "go").touch()
        out += job.stdout.read()
    assert job.wait(10) == limit.EXIT_TIME_LIMIT == EXIT_TIME_LIMIT
    assert out.count("TERM\n") == 1
    assert "ends 4000000000" in out
    assert json.loads((folder / "warning.json").read_text())["minutes"] == 0
    assert json.loads((folder / "result.json").read_text())["exit_code"] == EXIT_TIME_LIMIT
    stages = [body["stage"] for path, body, _ in Hub.told if path.endswith("/nearfield/stage")]
    assert sorted(stages) == ["checks", "server"]
    assert {token for *_, token in Hub.told} == {"token t0ken"}
    assert "t0ken" not in out
