"""Is somebody still submitting this job? A lock in its session folder tells.

Whoever submits makes the file and holds a lock on it (``flock``), which sbatch inherits. The kernel
lets go of it when both are gone, however they ended: a launcher that was killed with its hub is
told from one that is slow. Whoever finds no file makes it, and with that the name is taken: a
submit that comes later refuses.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nearfield.errors import SubmitError

NAME = "submit.lock"
SETTLED_SECONDS = 10.0
"""What a killed sbatch had sent is known to the controller by then."""
_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


def _host() -> bytes:
    return socket.gethostname().encode()


@contextmanager
def submitting(folder: Path) -> Iterator[tuple[int, ...]]:
    """Hold the lock of a session folder; what is yielded is for sbatch to inherit.

    Raises:
        SubmitError: the name was withdrawn meanwhile.
    """
    path = folder / NAME
    try:
        lock = os.open(path, _FILE | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SubmitError("this start was given up before its job was queued") from None
    except OSError as error:
        raise SubmitError(f"{path} cannot be made: {error.strerror}") from error
    try:
        # On a file system without locks nobody else gets one either, and only time will tell.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Some file systems are mounted so that a lock is known on its own host alone.
        os.write(lock, _host())
        yield (lock,)
    finally:
        os.close(lock)


def over(folder: Path, *, now: float | None = None) -> bool:
    """Has every submit into this folder ended, and will there be no other?

    Its job may be in the queue all the same. False where it cannot be told.
    """
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
        if os.read(lock, 300) != _host():
            return False
        age = (time.time() if now is None else now) - os.fstat(lock).st_mtime
        return age >= SETTLED_SECONDS
    except OSError:
        return False
    finally:
        os.close(lock)
