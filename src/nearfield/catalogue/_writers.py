"""Is a file being written right now, as far as this host can tell?"""

from __future__ import annotations

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")


def open_for_writing(status: os.stat_result, locks: Path = _LOCKS) -> bool:
    """Does a process on this host hold a write lock, as HDF5 does on files it writes?

    Reading the kernel's list disturbs nobody; trying the lock ourselves could make a detector
    fail to open its own file. Writers on other hosts and file systems without locks are not
    seen: HDF5's own mark in the file, and a file that changes while it is read, tell of them.
    """
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        lines = locks.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    # proc_locks(5): "1: FLOCK  ADVISORY  WRITE 5437 08:02:12345 0 EOF"
    return any(
        len(fields := line.split()) >= 6 and fields[3] == "WRITE" and fields[5] == wanted
        for line in lines
    )
