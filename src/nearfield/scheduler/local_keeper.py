"""Keeps one local job: starts it, enforces its wall time, ends it, writes down how it ended.

Run as a script by :mod:`nearfield.scheduler.local`, detached, so that jobs outlive the hub that
started them. Standard library only: it starts in a few hundredths of a second.

``python -I local_keeper.py STATE_DIR NUMBER SESSION_DIR MINUTES < SCRIPT``
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_SECONDS = 25.0
"""Between TERM and KILL; longer than what the node program gives the server."""


class _Asked(Exception):
    """Somebody sent TERM."""


def _asked(*_: object) -> None:
    raise _Asked


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def write(path: Path, content: object) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.rename(path)


def session_members(sid: int) -> list[int]:
    """All processes of a session: what left the process group is still in here."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            if int(fields[3]) == sid and fields[0] not in {"Z", "X"}:
                found.append(int(entry.name))
    return found


def signal_job(sid: int, number: int) -> None:
    for pid in session_members(sid):
        try:
            os.kill(pid, number)
        except OSError:
            continue


def keep(state: Path, number: str, session: Path, minutes: int, script: bytes) -> None:
    """Run the job to its end. This process is its keeper from now on."""
    signal.signal(signal.SIGTERM, _asked)
    log = os.open(session / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    job = subprocess.Popen(
        # The script itself on standard input, as batch systems do; no file of it is left behind.
        ["/bin/sh", "-s"],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd=session,
        start_new_session=True,
    )
    os.close(log)
    write(
        state / f"{number}.pid",
        {"keeper": os.getpid(), "ticks": start_ticks(os.getpid()), "job": job.pid,
         "job_ticks": start_ticks(job.pid), "started": time.time()},
    )
    ended, code = "itself", None
    try:
        if job.stdin is not None:
            job.stdin.write(script)
            job.stdin.close()
        code = job.wait(minutes * 60)
    except BrokenPipeError:
        code = job.wait()
    except subprocess.TimeoutExpired:
        ended = "timeout"
    except _Asked:
        ended = "cancel"
    if code is None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        code = end(job)
    signal_job(job.pid, signal.SIGKILL)
    shown = 128 - code if code < 0 else code
    write(state / f"{number}.end", {"exit_code": shown, "by": ended, "ended": time.time()})


def end(job: subprocess.Popen[bytes]) -> int:
    signal_job(job.pid, signal.SIGTERM)
    try:
        return job.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        signal_job(job.pid, signal.SIGKILL)
        return job.wait()


def main() -> None:
    state, number, session, minutes = sys.argv[1:]
    script = sys.stdin.buffer.read()
    # Twice forked: the hub is not our parent, and need not collect us.
    said, say = os.pipe()
    if os.fork():
        os.close(say)
        os._exit(0 if os.read(said, 1) else 1)
    os.setsid()
    os.close(said)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    write(Path(state) / f"{number}.pid", {"keeper": os.getpid(), "ticks": start_ticks(os.getpid())})
    os.write(say, b"1")
    os.close(say)
    keep(Path(state), number, Path(session), int(minutes), script)


if __name__ == "__main__":
    main()
