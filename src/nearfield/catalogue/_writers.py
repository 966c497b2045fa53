"""Is a file being written right now, as far as this host can tell?"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

_LOCKS = Path("/proc/locks")
# A lock that is younger is not seen; then the file changes while it is read, which is.
FRESH_SECONDS = 0.1


def open_for_writing(status: os.stat_result, locks: Path = _LOCKS) -> bool:
    """Does a process on this host hold a write lock, as HDF5 does on files it writes?

    Reading the kernel's list disturbs nobody; trying the lock ourselves could make a detector
    fail to open its own file. Writers on other hosts and file systems without locks are not
    seen: HDF5's own mark in the file, and a file that changes while it is read, tell of them.
    """
    return WriteLocks(locks).held(status)


@dataclass
class WriteLocks:
    """The same for many files: the kernel's list is read ten times a second at most."""

    locks: Path = _LOCKS
    _known: frozenset[str] = frozenset()
    _read: float = field(default=-FRESH_SECONDS)

    def held(self, status: os.stat_result) -> bool:
        now = time.monotonic()
        if now - self._read >= FRESH_SECONDS:
            self._known, self._read = self._written(), now
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        return f"{device}:{status.st_ino}" in self._known

    def _written(self) -> frozenset[str]:
        try:
            lines = self.locks.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return frozenset()
        # proc_locks(5): "1: FLOCK  ADVISORY  WRITE 5437 08:02:12345 0 EOF"
        rows = [line.split() for line in lines]
        return frozenset(row[5] for row in rows if len(row) >= 6 and row[3] == "WRITE")
