"""May this account read these files? Asked where the caller runs, bounded in time."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterable
from pathlib import Path

from nearfield.scheduler._protocol import PathAccess


def access(paths: Iterable[str], seconds: float = 5.0) -> dict[str, PathAccess]:
    """One answer for each path. No file is opened, so nothing is recalled from tape.

    A path that does not exist *here* may exist on the node: that is UNKNOWN, like a file system
    that does not answer.
    """
    answers = dict.fromkeys(paths, PathAccess.UNKNOWN)
    pending = list(answers)

    def look() -> None:
        for path in pending:
            answers[path] = _look(path)

    # A hung mount blocks in the kernel, where no timeout reaches: leave the thread behind.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    return dict(answers)


def _look(path: str) -> PathAccess:
    try:
        wanted = os.R_OK | (os.X_OK if stat.S_ISDIR(Path(path).stat().st_mode) else 0)
    except OSError as error:
        denied = error.errno in {errno.EACCES, errno.EPERM}
        return PathAccess.NO if denied else PathAccess.UNKNOWN
    return PathAccess.YES if os.access(path, wanted) else PathAccess.NO
