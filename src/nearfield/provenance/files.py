"""Files of a run folder: written so that a crash leaves the old or the new, listed and hashed.

Shared file systems (GPFS, Lustre, NFS) have no trustworthy flock or mtime: everything here is
O_EXCL, write, fsync, rename.
"""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PRIVATE_FOLDER = ".nearfield"
"""What Nearfield keeps in a run folder besides the results."""

_BLOCK = 4 * 1024 * 1024

# Said here because mimetypes depends on the files of the host.
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".nxs": "application/x-hdf5",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain",
}


@dataclass(frozen=True, slots=True)
class Hashed:
    """What a file held while it was read."""

    size: int
    sha256: str
    mtime: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of a run folder; ``problem`` says why it cannot be an output."""

    path: str
    problem: str | None = None


def write_new(path: Path, data: bytes) -> None:
    """Create ``path`` with ``data`` on disk; FileExistsError where it is there already."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_atomic(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``; whoever reads sees the old content or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        write_new(temporary, data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in ``folder`` durable, where the file system knows how."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(handle)


def hash_file(
    path: Path, *, sync: bool = False, on_block: Callable[[], None] | None = None
) -> Hashed:
    """Size, SHA-256 and time of a regular file; symbolic links are refused with OSError.

    ``sync`` also makes its bytes durable. ``on_block`` is called between blocks and may raise.
    """
    digest = hashlib.sha256()
    size = 0
    # O_NONBLOCK: a FIFO put in place of the file must not hang us before fstat can tell.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
            if on_block is not None:
                on_block()
        if sync:
            try:
                os.fsync(file.fileno())
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS, errno.EBADF):
                    raise
    return Hashed(size, digest.hexdigest(), datetime.fromtimestamp(found.st_mtime, UTC))


def list_files(folder: Path) -> Iterator[Found]:
    """Every file below ``folder`` but ``.nearfield/``, in order of path; no link is followed."""
    yield from _below(folder, "")


def _below(folder: Path, prefix: str) -> Iterator[Found]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield Found(prefix.rstrip("/") or ".", f"cannot be listed: {error.strerror}")
        return
    for entry in entries:
        path = prefix + entry.name
        if path == PRIVATE_FOLDER:
            continue
        if not _is_text(entry.name):
            yield Found(ascii(path)[1:-1], "its name is not valid text")
        elif entry.is_symlink():
            yield Found(path, "a symbolic link; links are not followed")
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(folder / entry.name, path + "/")
        elif entry.is_file(follow_symlinks=False):
            yield Found(path)
        else:
            yield Found(path, "not a regular file")


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def media_type(path: str) -> str:
    """The media type that the name of a file suggests."""
    known = _MEDIA_TYPES.get(Path(path).suffix.lower())
    return known or mimetypes.guess_type(path)[0] or "application/octet-stream"
