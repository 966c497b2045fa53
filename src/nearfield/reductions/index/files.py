"""A file as it was when it was indexed, and whether it still is.

The kernel stamps a change with a clock that stands still for some milliseconds: two changes in one
tick look alike. So a file that has just been changed is looked at only after the tick is over; what
comes later has another stamp. For the same reason an index of a file that is seconds old is not
kept (``nearfield.reductions.index.cache``): clocks of file servers are not this machine's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from nearfield.reductions.stack import FileId

FRESH = 5.0
"""Seconds since its last change in which a file may well be written still."""
_TICK = 0.02
"""Seconds; CONFIG_HZ of Linux is 100 or more."""
_COARSE = 1_000_000_000
"""A stamp that is a multiple of this many ns comes from a file system that counts seconds."""


def file_id(path: str, fd: int | None = None, *, growing: bool = False) -> FileId:
    """The file as it is now: the open one, or the one at ``path``. Raises OSError."""
    said = os.stat(path if fd is None else fd)  # noqa: PTH116 - Path has no descriptors
    return FileId(
        path,
        said.st_dev,
        said.st_ino,
        said.st_size,
        said.st_mtime_ns,
        said.st_ctime_ns,
        growing,
    )


def settled(
    path: str, fd: int | None = None, *, sleep: Callable[[float], None] = time.sleep
) -> FileId:
    """The file as it is once the tick of its last change is over. Raises OSError."""
    for _ in range(3):
        found = file_id(path, fd)
        tick = tick_of(found.ctime_ns)
        age = time.time() - found.ctime_ns / 1e9
        if not 0 <= age < tick:
            break
        sleep(tick - age)
    return found


def tick_of(stamp: int) -> float:
    """For how many seconds the clock stood still that gave a stamp."""
    return 1.0 if stamp % _COARSE == 0 else _TICK


def fresh(file: FileId, now: float | None = None) -> bool:
    """Was it written within the last seconds, or by a clock that is ahead?"""
    return (time.time() if now is None else now) - file.mtime_ns / 1e9 < FRESH


def may_be_kept(file: FileId, now: float | None = None) -> bool:
    """Is its last change, of data or name, so old that any other has another stamp?"""
    now = time.time() if now is None else now
    return not file.growing and now - max(file.mtime_ns, file.ctime_ns) / 1e9 >= FRESH


def unchanged(now: FileId, indexed: FileId) -> bool:
    """Do the bytes that the index points to still hold what it says?

    The device is not compared: one file system has other device numbers on other nodes.
    """
    if now.inode != indexed.inode:
        return False
    if indexed.growing:
        return now.size >= indexed.size
    return (now.size, now.mtime_ns, now.ctime_ns) == (
        indexed.size,
        indexed.mtime_ns,
        indexed.ctime_ns,
    )


def same_file(fd: int, indexed: FileId) -> bool:
    """Is the open file the one that was indexed, and as it was? Raises OSError."""
    return unchanged(file_id(indexed.path, fd), indexed)
