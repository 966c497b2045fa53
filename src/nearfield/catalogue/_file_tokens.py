"""A user's own token for a source, in a file that nobody else can read."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from nearfield.config import user_data_dir
from nearfield.errors import BlockedError

_MAX = 64 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]+")


class FileToken:
    """The token in ``$NEARFIELD_HOME/tokens/NAME``; read anew for each question, kept nowhere."""

    def __init__(self, source: str, path: Path | None = None) -> None:
        self.source = source
        self.path = path or user_data_dir() / "tokens" / source

    def __repr__(self) -> str:
        return f"FileToken({self.source!r}, {str(self.path)!r})"

    async def token(self, *, fresh: bool = False) -> str:
        """What the file says now; whoever renews it, a new one is a new content.

        Raises:
            BlockedError: there is no such file, others may read it, or it holds no token.
        """
        text = self._read().strip()
        if not _TOKEN.fullmatch(text):
            raise self._blocked("does not hold one token", "put the token in it, and nothing else")
        return text

    def _read(self) -> str:
        try:
            number = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._blocked(
                "is not there",
                f"make one in the source, and keep it there: install -m 600 /dev/stdin {self.path}",
            ) from None
        except OSError as error:
            raise self._blocked(f"cannot be read: {error.strerror}", "check the path") from None
        with os.fdopen(number, "rb") as file:
            # Of the open file: nobody can put another one in its place meanwhile.
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise self._blocked("is no file", "put the token in a plain file")
            if facts.st_mode & 0o077 or facts.st_uid not in (os.geteuid(), 0):
                raise self._blocked(
                    "may be read or changed by others",
                    f"chmod 600 {self.path}, and have a new token made: this one may be known",
                )
            # What is no ASCII becomes what is no token.
            return file.read(_MAX).decode("ascii", "replace")

    def _blocked(self, what: str, hint: str) -> BlockedError:
        return BlockedError(f"{self.source}: no token: {self.path} {what}", hint=hint)
