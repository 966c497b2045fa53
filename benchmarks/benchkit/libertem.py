"""LiberTEM as a peer, in an interpreter of its own: it need not share our environment.

``NEARFIELD_BENCH_LIBERTEM`` names a Python that has it (``python -m venv DIR``,
``DIR/bin/pip install libertem==0.16.*``); else the one that runs the benchmark, if it has it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchkit.timing import Took

EXECUTORS = ("dask", "pipelined")
"""Its default, and the one that is faster on one machine."""
CPUS = 2


def interpreter() -> str | None:
    """A Python with LiberTEM."""
    if named := os.environ.get("NEARFIELD_BENCH_LIBERTEM"):
        return named
    return sys.executable if importlib.util.find_spec("libertem") else None


def version() -> str | None:
    """Of LiberTEM; ``None`` where there is none. CalledProcessError for a bad interpreter."""
    python = interpreter()
    if python is None:
        return None
    asked = "from importlib.metadata import version; print(version('libertem'))"
    said = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    return said.stdout.strip()


class Peer:
    """All3 of one stack by one of LiberTEM's executors, with as many workers as we have threads.

    The processes stay from one run to the next: their start is not counted. A context manager.
    """

    def __init__(self, executor: str, path: Path, frames: int) -> None:
        python = interpreter()
        assert python is not None
        self._child = subprocess.Popen(
            [python, "-m", "benchkit.libertem_peer", executor, str(CPUS)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._said()
        self._ask("load", str(path), frames)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=60)

    def run(self) -> Took:
        return Took(*self._ask("run"))

    def result(self) -> dict[str, np.ndarray]:
        """``sum``, ``roi`` and ``masks`` of the last run."""
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/found.npz"
            self._ask("save", path)
            with np.load(path) as found:
                return dict(found)

    def _ask(self, *what: Any) -> Any:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(what) + "\n")
        self._child.stdin.flush()
        return self._said()

    def _said(self) -> Any:
        assert self._child.stdout is not None
        while line := self._child.stdout.readline():
            try:
                return json.loads(line)
            except ValueError:  # a word of some library's
                continue
        raise RuntimeError("LiberTEM ended: run python -m benchkit.libertem_peer by hand")
