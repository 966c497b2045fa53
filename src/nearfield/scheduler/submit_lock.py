"""Is somebody still submitting this job? A lock in its session folder tells.

Whoever submits makes the file and holds a lock on it (``flock``), which sbatch inherits. The kernel
lets go of it when both are gone, however they ended: a launcher that was killed with its hub is
told from one that is slow. Whoever finds no file makes it, and with that the name is taken: a
submit that comes later refuses.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearfield.errors import SubmitError
from nearfield.scheduler import staging

NAME = "submit.lock"
SETTLED_SECONDS = 10.0
"""So long after a lock was first found free what a killed sbatch had sent may still arrive."""
TRIES = 50
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


def _host() -> str:
    return socket.gethostname()


@contextmanager
def submitting(folder: Path) -> Iterator[tuple[int, ...]]:
    """Hold the lock of a session folder; what is yielded is for sbatch to inherit.

    Raises:
        SubmitError: the name was withdrawn meanwhile, or the file cannot be made.
    """
    path = folder / NAME
    try:
        lock = os.open(path, _FILE | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SubmitError("this start was given up before its job was queued") from None
    except OSError as error:
        raise staging.refusal(folder, error) from error
    try:
        try:
            _take(lock)
            # Some file systems are mounted so that a lock is known on its own host alone.
            _write(lock, _host())
        except OSError as error:
            raise staging.refusal(folder, error) from error
        yield (lock,)
    finally:
        os.close(lock)


def _take(lock: int) -> None:
    """On a file system without locks nobody else gets one either, and only time will tell."""
    for _ in range(TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno in _WITHOUT_LOCKS:
                return
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                raise
        time.sleep(0.02)  # somebody looks whether it is free, which takes a moment
    raise SubmitError(f"{NAME} of this start is held by another process")


def _write(lock: int, text: str) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, text.encode(), 0)


def over(folder: Path, *, now: float | None = None) -> bool:
    """Has every submit into this folder ended some time ago, and will there be no other?

    Its job may be in the queue all the same. False where it cannot be told, and at the first look
    after the end: that time is noted in the file, by the clock of this host.
    """
    now = time.time() if now is None else now
    path = folder / NAME
    try:
        lock = os.open(path, _FILE | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except OSError:
        return False
    else:
        os.close(lock)
        return True
    try:
        lock = os.open(path, _FILE)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        host, _, free_since = os.pread(lock, 400, 0).decode("utf-8", "replace").partition("\n")
        if host != _host():
            return False
        if free_since and now >= float(free_since):
            return now - float(free_since) >= SETTLED_SECONDS
        _write(lock, f"{host}\n{now}")
        return False
    except (OSError, ValueError):
        return False
    finally:
        os.close(lock)
