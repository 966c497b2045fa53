"""Runs that the REST API started: each is the ``nearfield`` command in a process of its own.

So a run does not share the server's event loop or memory, and does exactly what an analyst
would do in a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nearfield.datasets import Pid
from nearfield.errors import PublishError, UnknownNameError

TemplateName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class RunRequest(BaseModel):
    """Body of ``POST runs``."""

    model_config = ConfigDict(extra="forbid")

    template: TemplateName
    datasets: tuple[Pid, ...] = Field(min_length=1, max_length=200)
    parameters: dict[ParameterName, Any] = Field(default_factory=dict)


class Run(BaseModel):
    """What ``GET runs/ID`` tells."""

    id: str
    template: str
    datasets: tuple[str, ...]
    folder: str
    started: datetime
    status: Literal["running", "completed", "failed"] = "running"
    run_id: str | None = None
    outputs: tuple[str, ...] = ()
    message: str = ""
    published: str | None = None


class RunManager:
    """The runs of one server. ``root`` is where their folders go."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._processes: set[asyncio.subprocess.Process] = set()

    def get(self, key: str) -> Run:
        """Raises UnknownNameError for a run that this server did not start."""
        if key not in self._runs:
            raise UnknownNameError("run", key, self._runs)
        return self._runs[key]

    def all(self) -> list[Run]:
        return list(self._runs.values())

    async def start(self, request: RunRequest) -> Run:
        """Start a run and return at once."""
        key = secrets.token_hex(6)
        now = datetime.now(UTC)
        folder = self.root / f"{request.template}-{now:%Y%m%d-%H%M%S}-{key[:4]}"
        self.root.mkdir(parents=True, exist_ok=True)
        run = Run(
            id=key,
            template=request.template,
            datasets=request.datasets,
            folder=str(folder),
            started=now,
        )
        self._runs[key] = run
        argv = ["run", request.template, "--out", str(folder), "--json"]
        for pid in request.datasets:
            argv += ["--dataset", pid]
        # Everybody on a shared node can read a process's arguments: parameters come on its input.
        argv += ["--parameters-file", "-"]
        given = json.dumps(request.parameters)
        self._tasks[key] = asyncio.create_task(self._follow(run, argv, given))
        return run

    async def publish(self, key: str) -> Run:
        """Publish a completed run; a second time gives the same PID.

        Raises:
            PublishError: the run is not complete, or the command's own words.
        """
        run = self.get(key)
        if run.status != "completed":
            raise PublishError(f"run {key} is {run.status}: only a completed run is published")
        code, out, err = await self._command(["publish", run.folder, "--json"])
        if code != 0:
            raise PublishError(_last_words(err))
        run.published = str(json.loads(out)["pid"])
        return run

    async def _follow(self, run: Run, argv: list[str], given: str) -> None:
        try:
            code, out, err = await self._command(argv, given)
            if code == 0:
                told = json.loads(out)
                run.run_id = told["run_id"]
                run.outputs = tuple(entry["path"] for entry in told["outputs"])
                run.status = "completed"
            else:
                run.status, run.message = "failed", _last_words(err)
        except Exception as error:
            run.status, run.message = "failed", f"{type(error).__name__}: {error}"

    async def _command(self, argv: list[str], given: str = "") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "nearfield", *argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._processes.add(process)
        try:
            out, err = await process.communicate(given.encode())
        finally:
            self._processes.discard(process)
        return process.returncode or 0, out.decode(), err.decode(errors="replace")

    async def stop_all(self) -> None:
        """End what still runs; on TERM the command ends its kernel and leaves a record."""
        for process in list(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=10)


def _last_words(text: str) -> str:
    lines = deque((line for line in text.splitlines() if line.strip()), maxlen=12)
    return "\n".join(lines) or "it said nothing"
