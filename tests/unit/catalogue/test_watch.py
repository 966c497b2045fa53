"""``scan --watch``: what makes it scan again, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from nearfield.catalogue import ScanReport
from nearfield.catalogue.watching import when_to_scan
from nearfield.cli._watch import watch
from nearfield.testing.synthetic import make_linked

LONG = 3600.0


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    made = threading.Event()
    # A turn that never comes ends the watch, and with it the test, instead of hanging for ever.
    late = threading.Timer(30, made.set)
    late.start()
    yield made
    late.cancel()
    made.set()


@pytest.fixture
def keep_writing() -> Iterator[Callable[[Path], None]]:
    """Writes a file again and again, whenever the watch begins to look."""
    done = threading.Event()
    threads: list[threading.Thread] = []

    def start(path: Path) -> None:
        def work() -> None:
            while not done.wait(0.05):
                path.write_text("x")

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield start
    done.set()
    for thread in threads:
        thread.join()


def test_at_once_and_when_something_changes(
    tmp_path: Path, stop: threading.Event, keep_writing: Callable[[Path], None]
) -> None:
    turns = when_to_scan(tmp_path, interval=LONG, stop=stop)
    next(turns)
    next(turns)  # now it watches
    (tmp_path / "below").mkdir()
    keep_writing(tmp_path / "below/new.h5")
    next(turns)


def test_every_so_often_although_nothing_is_seen(tmp_path: Path, stop: threading.Event) -> None:
    turns = when_to_scan(tmp_path, interval=0.2, stop=stop)
    for _ in range(3):
        next(turns)


def test_the_catalogue_itself_is_no_change(
    tmp_path: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def watch(root: Path, **options: Any) -> Iterator[set[Any]]:
        asked.update(options)
        yield {(watchfiles.Change.added, "x")}

    monkeypatch.setattr(watchfiles, "watch", watch)
    list(when_to_scan(tmp_path, interval=LONG, stop=stop, own=tmp_path / "c.sqlite"))
    counts = asked["watch_filter"]
    for name in ("c.sqlite", "c.sqlite-wal", "c.sqlite-shm"):
        assert not counts(watchfiles.Change.modified, str(tmp_path / name))
    assert counts(watchfiles.Change.modified, str(tmp_path / "c.h5"))


def test_without_watches_the_interval_alone_counts(
    tmp_path: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(*_: Any, **__: Any) -> Iterator[Any]:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", watch)
    told: list[str] = []
    turns = when_to_scan(tmp_path, interval=0.01, stop=stop, on_poll=told.append)
    for _ in range(4):
        next(turns)
    assert len(told) == 1
    assert "watch limit" in told[0]
    stop.set()
    assert list(turns) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_command(tmp_path: Path, how: signal.Signals) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    make_linked(folder / "a.h5", title="first")
    argv = ["nearfield", "catalogue", "scan", str(folder), "--watch", "--json"]
    command = subprocess.Popen(
        [sys.executable, "-m", *argv, "--catalogue", str(folder / "c.sqlite")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert command.stdout is not None
        assert json.loads(command.stdout.readline())["registered"] == 1
        # Written before the watch has begun it is found by the next turn all the same.
        make_linked(folder / "b.h5", title="second")
        (folder / "bad.h5").write_text("no data")
        seen: dict[str, Any] = {"registered": 0, "failed": []}
        while not (seen["registered"] and seen["failed"]):
            report = json.loads(command.stdout.readline())
            seen["registered"] += report["registered"]
            seen["failed"] = report["failed"]
        assert seen["failed"][0]["path"] == str(folder / "bad.h5")
        command.send_signal(how)
        out, err = command.communicate(timeout=60)
        assert (command.returncode, out, err) == (0, "", "")
    finally:
        command.kill()
        command.communicate()


def test_an_impatient_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The scan under way is finished and that is said; a second signal does not wait for it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    finished: list[bool] = []

    def scan(on_progress: object) -> ScanReport:
        assert on_progress is not None  # the first one tells how far it is
        signal.raise_signal(signal.SIGINT)
        finished.append(True)
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("it went on")

    try:
        with pytest.raises(KeyboardInterrupt):
            watch(scan, lambda _: {}, tmp_path, tmp_path / "c", LONG, json_lines=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert finished == [True]
    assert capsys.readouterr().err.startswith("nearfield: ends after this scan; once more")
