"""Files that one thread reads: opened once, few at a time, and each the one that was indexed."""

from __future__ import annotations

import os
from collections import OrderedDict

from nearfield.reductions.index import same_file
from nearfield.reductions.stack import FileId
from nearfield.reductions.unreadable import FileChanged

LIMIT = 64
"""Open files of one thread: a process may have 1024, and there are as many threads as cores."""
REPLACED = "the file was replaced while it was read"


class Replaced(OSError):
    """At its path is another file than the one that was indexed, or its content is another."""

    def __init__(self) -> None:
        super().__init__(None, REPLACED)


class OpenFiles:
    """Descriptors by :class:`FileId`. A context manager.

    Args:
        start, stop: The frames that are read, for what an error says.
    """

    def __init__(self, start: int, stop: int) -> None:
        self._frames = f"frames {start} to {stop - 1}"
        self._open: OrderedDict[FileId, int] = OrderedDict()

    def __enter__(self) -> OpenFiles:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def fd(self, file: FileId) -> int:
        """Of an open file; the last :data:`LIMIT` that were asked for stay open.

        Raises:
            OSError: it cannot be opened; ``Replaced``: it is another one by now.
            FileChanged: one that was read before has changed since.
        """
        if (found := self._open.get(file)) is not None:
            self._open.move_to_end(file)
            return found
        if len(self._open) == LIMIT:
            self._checked(*self._open.popitem(last=False), close=True)
        fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        self._open[file] = fd
        if not same_file(fd, file):
            os.close(self._open.popitem()[1])
            raise Replaced
        return fd

    def check(self) -> None:
        """Is each still as it was, now that it has been read?

        Raises:
            FileChanged: what was read of it may be old and new mixed.
        """
        for file, fd in self._open.items():
            self._checked(file, fd)

    def _checked(self, file: FileId, fd: int, *, close: bool = False) -> None:
        try:
            same = same_file(fd, file)
        finally:
            if close:
                os.close(fd)
        if not same:
            raise FileChanged(file.path, f"{self._frames}: {REPLACED}", hint="open it again")
