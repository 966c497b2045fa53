"""Keeps one local job: starts it, enforces its wall time, ends it, writes down how it ended.

Run as a script by :mod:`nearfield.scheduler.local`, detached, so that jobs outlive the hub that
started them. Standard library only: it starts in a few hundredths of a second.

``python -I local_keeper.py STATE_DIR NUMBER SESSION_DIR MINUTES GRACE < SCRIPT``
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 25.0
"""Between TERM and KILL; longer than what the node program gives the server."""


_WAITED_FOR = {signal.SIGTERM, signal.SIGCHLD}
"""Blocked from before anybody knows our pid, so that an early TERM is not lost."""


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


def keep(
    state: Path, number: str, session: Path, script: bytes, *, minutes: float, grace: float
) -> None:
    """Run the job to its end. This process is its keeper from now on."""
    log = os.open(session / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    # The script itself on standard input, as batch systems do. A file without a name, not a pipe:
    # a keeper that is killed meanwhile would leave the job with half of it.
    text = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, once the job has it
    text.write(script)
    text.seek(0)
    job = subprocess.Popen(
        ["/bin/sh", "-s"],
        stdin=text,
        stdout=log,
        stderr=log,
        cwd=session,
        start_new_session=True,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED_FOR),  # noqa: PLW1509
    )
    os.close(log)
    text.close()
    write(
        state / f"{number}.pid",
        {
            "keeper": os.getpid(),
            "ticks": start_ticks(os.getpid()),
            "job": job.pid,
            "job_ticks": start_ticks(job.pid),
            "started": time.time(),
        },
    )
    ended = wait(job, minutes * 60, grace)
    code = job.wait() if ended == "itself" else end(job)
    signal_job(job.pid, signal.SIGKILL)
    shown = 128 - code if code < 0 else code
    write(state / f"{number}.end", {"exit_code": shown, "by": ended, "ended": time.time()})


def wait(job: subprocess.Popen[bytes], seconds: float, grace: float = 0.0) -> str:
    """Sleep until the job ended by ``itself``, by a ``cancel``, or at its ``timeout``.

    ``grace`` seconds before the limit the job, not its family, gets USR2, as from Slurm.
    """
    until = time.monotonic() + seconds
    told = grace <= 0
    while job.poll() is None:
        left = until - time.monotonic() - (0.0 if told else grace)
        got = signal.sigtimedwait(_WAITED_FOR, left) if left > 0 else None
        if got is None and not told:
            told = True
            with suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGUSR2)
            continue
        if got is None:
            return "timeout"
        if got.si_signo == signal.SIGTERM:
            return "cancel"
    return "itself"


def end(job: subprocess.Popen[bytes]) -> int:
    signal_job(job.pid, signal.SIGTERM)
    try:
        return job.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        signal_job(job.pid, signal.SIGKILL)
        return job.wait()


def main() -> None:
    state, number, session, minutes, grace = sys.argv[1:]
    script = sys.stdin.buffer.read()
    # Twice forked: the hub is not our parent, and need not collect us.
    said, say = os.pipe()
    if os.fork():
        os.close(say)
        os._exit(0 if os.read(said, 1) else 1)
    os.setsid()
    os.close(said)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    write(Path(state) / f"{number}.pid", {"keeper": os.getpid(), "ticks": start_ticks(os.getpid())})
    os.write(say, b"1")
    os.close(say)
    keep(Path(state), number, Path(session), script, minutes=float(minutes), grace=float(grace))


if __name__ == "__main__":
    main()
