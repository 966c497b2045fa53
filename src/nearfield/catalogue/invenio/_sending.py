"""Files on their way from this machine: checked before, hashed while they go, never in memory."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from collections.abc import AsyncIterator
from pathlib import Path

from nearfield.datasets import DataFile
from nearfield.errors import CatalogueError, DataFileError, UsageError

CHUNK = 1 << 20
SLOWEST = 1e6
"""Bytes a second: what goes slower than that is given up."""


def check_before(
    source: str,
    files: dict[str, DataFile],
    *,
    max_file: int,
    max_dataset: int,
    max_files: int,
) -> None:
    """Before anything is made there.

    Raises:
        DataFileError: a file is not there, is none, or has another size than was said.
        UsageError: more, or larger ones, than the repository takes.
    """
    for file in files.values():
        try:
            found = Path(file.path).stat()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "cannot be read"
            raise DataFileError(file.path, f"{reason}: nothing was sent to {source}") from error
        if not stat.S_ISREG(found.st_mode):
            raise DataFileError(file.path, f"not a file: nothing was sent to {source}")
        if found.st_size != file.size:
            raise DataFileError(
                file.path,
                f"has {found.st_size} bytes, not {file.size}: nothing was sent to {source}",
            )
        if file.size > max_file:
            raise UsageError(
                f"{source}: {file.path!r} has {file.size / 2**30:.1f} GiB; it takes files of "
                f"{max_file / 2**30:.1f} GiB at most",
                hint="split it, or publish to another catalogue",
            )
    total = sum(file.size for file in files.values())
    if total > max_dataset:
        raise UsageError(
            f"{source}: the files have {total / 2**30:.1f} GiB; it takes datasets of "
            f"{max_dataset / 2**30:.1f} GiB at most",
            hint="publish less of them, or to another catalogue",
        )
    if len(files) > max_files:
        raise UsageError(
            f"{source}: {len(files)} files; it takes {max_files} at most",
            hint="pack some of them together, or publish to another catalogue",
        )


class Sending:
    """One file as a stream that can be begun anew; afterwards its checksums."""

    def __init__(self, source: str, file: DataFile | bytes) -> None:
        self.source, self._file = source, file
        self.size = len(file) if isinstance(file, bytes) else file.size
        self._md5 = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> str:
        """Of what was sent last."""
        return self._md5.hexdigest()

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return 60.0 + self.size / SLOWEST

    @property
    def headers(self) -> dict[str, str]:
        """What it is sent with: its length, as repositories want to know it before."""
        return {"Content-Type": "application/octet-stream", "Content-Length": str(self.size)}

    async def stream(self) -> AsyncIterator[bytes]:
        """All of it.

        Raises:
            CatalogueError: the file is no longer what was said.
        """
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        sent = 0
        async for chunk in self._chunks():
            md5.update(chunk)
            sha256.update(chunk)
            sent += len(chunk)
            if sent > self.size:
                raise self._changed()
            if sent == self.size and not self._is(sha256.hexdigest()):
                # Before the last bytes have gone: the repository gets no whole wrong file.
                raise self._changed()
            yield chunk
        if sent != self.size:
            raise self._changed()
        self._md5 = md5

    async def hashed(self) -> str:
        """The MD5 without sending it."""
        async for _ in self.stream():
            pass
        return self.md5

    async def _chunks(self) -> AsyncIterator[bytes]:
        if isinstance(self._file, bytes):
            yield self._file
            return
        try:
            with await asyncio.to_thread(open, self._file.path, "rb") as opened:
                while chunk := await asyncio.to_thread(opened.read, CHUNK):
                    yield chunk
        except OSError as error:
            raise DataFileError(self._file.path, error.strerror or "cannot be read") from error

    def _is(self, sha256: str) -> bool:
        if isinstance(self._file, bytes) or self._file.sha256 is None:
            return True
        return sha256 == self._file.sha256

    def _changed(self) -> CatalogueError:
        path = "" if isinstance(self._file, bytes) else self._file.path
        return CatalogueError(
            f"{self.source}: {path!r} is not what was to be published: it was not sent",
            hint="restore the file, or run again into a new folder",
        )
