"""Reading many files: in this process, or in workers that may die of a file.

A worker is a process of its own that speaks lines of JSON (``_read_worker.py``), not one of
``multiprocessing``: that would import the caller's own script again.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

from nearfield.catalogue.metadata import FileMetadata, read_file
from nearfield.errors import BlockedError, DataFileError

Outcome = FileMetadata | DataFileError
Wanted = Callable[[str], tuple[str, ...]]
"""Of each path the places of which the values are told besides."""
WORKER_DIED = "the process that read it died"
TOO_LONG = "not read in"
# A file that is answered after this long hangs its worker: the worker is ended.
FILE_SECONDS = 60.0
# Requests that wait in a worker, so that it never waits for us.
WINDOW = 4
# Fewer files than this are read faster than a second worker starts.
WORTH_ANOTHER = 200
# -P: the folder that the scan is called in may hold data, and modules are not to come from it.
WORKER = (sys.executable, "-P", "-m", "nearfield.catalogue._read_worker")


def nothing(_: str) -> tuple[str, ...]:
    """No place of any file is wanted besides what the readers look at."""
    return ()


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def read_here(paths: Iterable[str], wanted: Wanted = nothing) -> Iterator[tuple[str, Outcome]]:
    """Read in this process, one after the other. A file that crashes HDF5 ends it."""
    for path in paths:
        try:
            places = wanted(path)
            yield path, read_file(path, places) if places else read_file(path)
        except DataFileError as error:
            yield path, error


def read_in_workers(
    paths: Iterable[str],
    workers: int,
    wanted: Wanted = nothing,
    *,
    argv: tuple[str, ...] = WORKER,
    seconds: float = FILE_SECONDS,
) -> Iterator[tuple[str, Outcome]]:
    """Read in up to ``workers`` processes; the files in the order in which they are done.

    Of a worker that dies the file in hand is read once more by another, since somebody may have
    killed it; if that dies too the file is reported. One that hangs is ended, and reported. The
    other files are read by a new worker.

    Raises:
        BlockedError: h5py is missing, or workers die before they have read anything.
    """
    pool = _Pool(iter(paths), workers, wanted, argv, seconds)
    try:
        yield from pool.run()
    finally:
        pool.close()


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    asked: deque[str] = field(default_factory=deque)
    """In the order in which they will be answered."""
    rest: bytes = b""
    since: float = field(default_factory=time.monotonic)
    """When the first of ``asked`` became the first."""

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None  # noqa: S101  # opened as a pipe
        return self.process.stdout

    def ask(self, path: str, wanted: tuple[str, ...]) -> None:
        assert self.process.stdin is not None  # noqa: S101
        if not self.asked:
            self.since = time.monotonic()
        self.asked.append(path)
        # One that has died is seen by its output's end.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps([path, wanted]).encode() + b"\n")
            self.process.stdin.flush()

    def end(self) -> int:
        """Make sure that it is gone; how it ended."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return self.process.wait()


class _Pool:
    def __init__(
        self,
        paths: Iterator[str],
        most: int,
        wanted: Wanted,
        argv: tuple[str, ...],
        seconds: float,
    ) -> None:
        self._wanted = wanted
        self._paths, self._most, self._argv, self._seconds = paths, max(1, most), argv, seconds
        self._again: deque[str] = deque()
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self._answered = 0
        self._suspects: set[str] = set()

    def run(self) -> Iterator[tuple[str, Outcome]]:
        while True:
            self._hand_out()
            if not any(worker.asked for worker in self._workers):
                return
            ready = self._selector.select(timeout=min(1.0, self._seconds))
            for key, _ in ready:
                yield from self._hear(key.data)
            for worker in list(self._workers):
                if worker.asked and time.monotonic() - worker.since > self._seconds:
                    path, _ = self._lost(worker, at_once=True)
                    yield path, DataFileError(path, f"{TOO_LONG} {self._seconds:.0f} s")

    def close(self) -> None:
        for worker in self._workers:
            worker.end()
        self._selector.close()

    def _next(self) -> str | None:
        return self._again.popleft() if self._again else next(self._paths, None)

    def _hand_out(self) -> None:
        """Keep every worker busy; start another where there is work for it."""
        for worker in self._workers:
            while len(worker.asked) < WINDOW and (path := self._next()) is not None:
                worker.ask(path, self._wanted(path))
        wanted = 1 if self._answered < WORTH_ANOTHER else self._most
        while len(self._workers) < wanted and (path := self._next()) is not None:
            worker = self._start()
            worker.ask(path, self._wanted(path))

    def _start(self) -> _Worker:
        process = subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for the scan, which then ends its workers.
            start_new_session=True,
        )
        worker = _Worker(process)
        os.set_blocking(worker.out.fileno(), False)
        self._workers.append(worker)
        self._selector.register(worker.out, selectors.EVENT_READ, worker)
        return worker

    def _hear(self, worker: _Worker) -> Iterator[tuple[str, Outcome]]:
        if worker not in self._workers:
            return
        data = os.read(worker.out.fileno(), 1 << 20)
        *lines, worker.rest = (worker.rest + data).split(b"\n")
        for line in lines:
            path = worker.asked.popleft()
            worker.since = time.monotonic()
            self._answered += 1
            yield path, _outcome(path, json.loads(line))
        if not data:
            yield from self._died(worker)

    def _died(self, worker: _Worker) -> Iterator[tuple[str, Outcome]]:
        if not worker.asked:
            self._drop(worker)
            return
        path, code = self._lost(worker, at_once=False)
        if self._answered == 0 and code > 0:
            # It did not come so far as to open a file.
            raise BlockedError(
                f"data files cannot be read: the reading process ended with exit code {code}",
                hint=f"see why: {' '.join(self._argv)} </dev/null",
            )
        if path not in self._suspects:
            self._suspects.add(path)
            self._again.append(path)
            return
        by = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        yield path, DataFileError(path, f"{WORKER_DIED} ({by})")

    def _lost(self, worker: _Worker, *, at_once: bool) -> tuple[str, int]:
        """The file that it had in hand and how it ended; its other files go to others."""
        path = worker.asked.popleft()
        self._again.extend(worker.asked)
        if not at_once:
            # Its output has ended: so will it, by itself, and say how.
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(timeout=5)
        return path, self._drop(worker)

    def _drop(self, worker: _Worker) -> int:
        self._selector.unregister(worker.out)
        self._workers.remove(worker)
        return worker.end()


def _outcome(path: str, said: dict[str, str]) -> Outcome:
    if "blocked" in said:
        raise BlockedError(said["blocked"], hint=said.get("hint"))
    if "failed" in said:
        return DataFileError(path, said["failed"])
    return FileMetadata.model_validate_json(said["read"])
