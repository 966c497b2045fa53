"""A submit that is under way is told from one whose launcher was killed."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nearfield.errors import SubmitError
from nearfield.scheduler import submit_lock

LAUNCHER = """
import subprocess, sys
from pathlib import Path
from nearfield.scheduler import submit_lock
with submit_lock.submitting(Path(sys.argv[1])) as lock:
    # sbatch, which outlives the launcher until somebody writes a line
    sbatch = subprocess.Popen(["sh", "-c", "read line"], stdin=0, pass_fds=lock)
    print(sbatch.pid, flush=True)
    sbatch.wait()
"""


def long_over(folder: Path) -> bool:
    """What is told some time after a first look."""
    submit_lock.over(folder)
    return submit_lock.over(folder, now=time.time() + submit_lock.SETTLED_SECONDS + 1)


def test_a_killed_launcher_and_its_sbatch_are_waited_for(tmp_path: Path) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    sbatch = int(launcher.stdout.readline())
    assert not long_over(tmp_path)
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    assert not long_over(tmp_path), "sbatch is still there"
    watched = os.pidfd_open(sbatch)
    launcher.stdin.close()
    launcher.stdout.close()
    signal.pidfd_send_signal(watched, signal.SIGKILL)
    with (tmp_path / submit_lock.NAME).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel has let go of it
    assert not submit_lock.over(tmp_path), "what it had sent may still be on its way"
    assert long_over(tmp_path)


def test_a_submit_that_ended_is_over(tmp_path: Path) -> None:
    with submit_lock.submitting(tmp_path):
        assert not long_over(tmp_path)
    assert long_over(tmp_path)


def test_who_withdraws_first_keeps_the_submit_out(tmp_path: Path) -> None:
    assert submit_lock.over(tmp_path)  # staged, and killed before sbatch
    with pytest.raises(SubmitError, match="given up"), submit_lock.submitting(tmp_path):
        pytest.fail("it would have been queued")


def test_the_time_counts_from_the_end_and_not_from_the_begin(tmp_path: Path) -> None:
    with submit_lock.submitting(tmp_path):
        os.utime(tmp_path / submit_lock.NAME, (0, 0))
    assert not submit_lock.over(tmp_path, now=1000.0)
    assert not submit_lock.over(tmp_path, now=1000.0 + submit_lock.SETTLED_SECONDS / 2)
    assert not submit_lock.over(tmp_path, now=0.0), "the clock was set back: it counts anew"
    assert submit_lock.over(tmp_path, now=submit_lock.SETTLED_SECONDS)


def test_a_submit_waits_for_who_just_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_file, looks = os.open, []

    def open_and_be_looked_at(path: Path, flags: int, *more: int) -> int:
        file = open_file(path, flags, *more)
        if not looks:
            looks.append(open_file(path, os.O_RDWR))
            fcntl.flock(looks[0], fcntl.LOCK_EX)
        return file

    monkeypatch.setattr(os, "open", open_and_be_looked_at)
    monkeypatch.setattr("time.sleep", lambda _seconds: fcntl.flock(looks[0], fcntl.LOCK_UN))
    with submit_lock.submitting(tmp_path):
        assert not long_over(tmp_path)
    os.close(looks[0])


def test_of_another_host_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with submit_lock.submitting(tmp_path):
        pass
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    assert not long_over(tmp_path)


def test_without_locks_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_file: int, _kind: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    with submit_lock.submitting(tmp_path):
        pass
    assert not long_over(tmp_path)


def test_where_nothing_can_be_written_nothing_is_known(tmp_path: Path) -> None:
    assert not submit_lock.over(tmp_path / "gone")
    with (
        pytest.raises(SubmitError, match="No such file"),
        submit_lock.submitting(tmp_path / "gone"),
    ):
        pytest.fail("it would have been queued")


def test_a_disk_that_is_full_now_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int, _text: bytes, _at: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with (
        pytest.raises(SubmitError, match="No space left") as told,
        submit_lock.submitting(tmp_path),
    ):
        pytest.fail("it would have been queued")
    assert told.value.hint is not None
    assert "free some space" in told.value.hint
