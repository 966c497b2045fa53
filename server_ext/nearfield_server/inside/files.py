"""Which files may be opened for a look: those of the record, and what they link to beside them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import PurePosixPath

INLINE_BYTES = 4096
"""A file system may keep the bytes of so small a file without any block."""


class LookError(Exception):
    """What cannot be looked at: ``kind`` is ``usage``, ``file`` or ``missing``."""

    def __init__(self, kind: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.hint = kind, message, hint


class AllowedFiles:
    """The files of a record, and the folders that its links may lead into."""

    def __init__(self, files: Sequence[str], folders: Sequence[str]) -> None:
        self._files = {os.path.realpath(path) for path in files}
        self._folders = [PurePosixPath(os.path.realpath(path)) for path in folders]

    def check(self, path: str) -> str:
        """The real path of a file that may be opened and is on disk. Nothing is opened here.

        Raises:
            LookError: it is none of the record's and not in its storage, is not there, may not
                be read, is no plain file, or is on tape.
        """
        real = os.path.realpath(path)
        here = PurePosixPath(real)
        if real not in self._files and not any(here.is_relative_to(f) for f in self._folders):
            raise LookError(
                "file",
                f"{path!r} is outside of the dataset's storage: links there are not followed",
            )
        try:
            found = os.stat(real)  # noqa: PTH116
        except OSError as error:
            raise LookError("file", f"{path!r}: {error.strerror or error}") from None
        if not stat.S_ISREG(found.st_mode):
            raise LookError("file", f"{path!r} is no plain file")
        if found.st_size > INLINE_BYTES and found.st_blocks == 0:
            # To open it would wait for a tape robot, maybe for hours.
            raise LookError(
                "file", f"{path!r} is on tape", "ask for its recall first, then look again"
            )
        if not os.access(real, os.R_OK):
            raise LookError(
                "file",
                f"{path!r}: this account may not read it",
                "the file system decides: ask the owner of the data for access",
            )
        return real
