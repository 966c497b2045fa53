"""A stand-in for the host side of a session's job: worker jobs are processes of this machine.

What it says is what the real one says (``nearfield.workers.broker``); tests change what happens.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nearfield.workers.broker import SOCKET


@dataclass
class Job:
    name: str
    process: subprocess.Popen[bytes] | None
    log: Path
    state: str = ""
    """Instead of what the process says."""
    ends: float | None = None
    began: float = field(default_factory=time.time)


@dataclass
class LocalBroker:
    """Listens on a unix socket; one connection at a time."""

    folder: Path
    hello: dict[str, Any] = field(default_factory=dict)
    """Instead of what it offers by itself."""
    refuse: dict[str, str] = field(default_factory=dict)
    """By verb, the reason of an error."""
    command: list[str] | None = None
    """Instead of a worker."""
    pending: bool = False
    """Jobs wait in the queue."""
    lives: dict[str, float] = field(default_factory=dict)
    """By worker, seconds that its job runs at most, as it says."""
    jobs: dict[str, Job] = field(default_factory=dict)
    started: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Its connection was closed."""

    def __enter__(self) -> LocalBroker:
        self.path = self.folder / "socket"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()
        self._before = os.environ.get(SOCKET)
        os.environ[SOCKET] = str(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        os.environ.pop(SOCKET)
        if self._before is not None:
            os.environ[SOCKET] = self._before
        self.hang_up()
        self._listener.close()
        self._cancel(list(self.jobs))

    def hang_up(self) -> None:
        """As the session's end does."""
        with suppress(AttributeError, OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def kill(self, name: str) -> None:
        """The node of that worker dies: nobody says goodbye."""
        job = next(job for job in self.jobs.values() if job.name == name)
        assert job.process is not None
        job.state = "node_fail"
        _kill(job)

    def scancel(self) -> None:
        """Somebody cancels all jobs, from outside."""
        for job in self.jobs.values():
            if not self._over(job):
                job.state = "cancelled"
        for job in self.jobs.values():
            _kill(job)

    def alive(self) -> list[str]:
        return [job.name for job in self.jobs.values() if not self._over(job)]

    def _serve(self) -> None:
        while True:
            try:
                self._connection, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), self._connection, self._connection.makefile("rwb") as lines:
                for line in lines:
                    lines.write(json.dumps(self._answer(json.loads(line))).encode() + b"\n")
                    lines.flush()
            self._cancel(list(self.jobs))
            self.released.set()

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        verb = asked["verb"]
        if verb in self.refuse:
            error = {"reason": self.refuse[verb], "message": f"no {verb} today"}
            return {"id": asked["id"], "ok": False, "error": error}
        return {"id": asked["id"], "ok": True, "result": getattr(self, f"_{verb}")(asked)}

    def _hello(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {
            "version": 1, "session": "s", "profile": "small", "environment": "image",
            "node": "here", "address": "127.0.0.1", "bind": "127.0.0.1", "ports": None,
            "cores": 1, "memory_mb": 1000, "gpus": 0, "minutes": 30, "ends": None,
            "seconds_left": None, "most": 4, "possible": True, "why": "", "image": "",
            **self.hello,
        }  # fmt: skip

    def _start(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.started.append(asked)
        number = str(100 + len(self.jobs))
        folder = self.folder / number
        folder.mkdir()
        for name, text in asked["tls"].items():
            (folder / name).write_text(text)
        command = self.command or [
            sys.executable, "-m", "distributed.cli.dask_worker", asked["scheduler"],
            "--tls-ca-file", str(folder / "ca"), "--tls-cert", str(folder / "cert"),
            "--tls-key", str(folder / "key"), "--no-nanny", "--nthreads", str(asked["threads"]),
            "--name", asked["name"], "--local-directory", str(folder), "--death-timeout", "30",
            "--no-dashboard",
        ]  # fmt: skip
        process = None
        if not self.pending:
            with (folder / "log").open("wb") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log)
        name = asked["name"]
        ends = time.time() + self.lives[name] if name in self.lives else None
        self.jobs[number] = Job(name, process, folder / "log", ends=ends)
        return {"job": number, "job_name": f"nearfield-worker-{number}"}

    def _status(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"jobs": {number: self._told(self.jobs[number]) for number in asked["jobs"]}}

    def _told(self, job: Job) -> dict[str, Any]:
        code = None if job.process is None else job.process.poll()
        state = job.state or self._state(job, code)
        log = job.log.read_text() if job.log.exists() else ""
        start = job.began + 3600 if state == "pending" else job.began
        return {
            "job_name": "", "state": state, "reason": "", "node": "here", "start": start,
            "ends": job.ends, "exit_code": code, "failure": None, "log": log,
        }  # fmt: skip

    def _state(self, job: Job, code: int | None) -> str:
        if job.process is None:
            return "pending"
        if code is None:
            return "running"
        return "failed" if code else "completed"

    def _over(self, job: Job) -> bool:
        return self._told(job)["state"] not in {"pending", "running"}

    def _estimate(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"start": time.time()}

    def _cancel(self, asked: dict[str, Any] | list[str]) -> dict[str, Any]:
        numbers = asked if isinstance(asked, list) else asked["jobs"]
        for number in numbers:
            job = self.jobs[number]
            if not self._over(job):
                job.state = "cancelled"
                _kill(job)
        return {"cancelled": numbers}


def _kill(job: Job) -> None:
    if job.process is not None:
        job.process.kill()
        job.process.wait()
