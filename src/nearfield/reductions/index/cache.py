"""Indexes that were made before, kept for the next reading.

One is used only while every file that it rests on is as it was, by inode, size and both stamps,
and while nothing is where a file was looked for in vain. One that rests on a file of the last
seconds is not kept: within the granularity of its clock a file can change and look the same.

``$XDG_CACHE_HOME/nearfield/index`` (``~/.cache`` by default), for its owner alone. A damaged entry
is as good as none. Nothing here raises for a cache that cannot be used.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from nearfield.reductions.index import columns
from nearfield.reductions.index.files import file_id, may_be_kept, unchanged
from nearfield.reductions.index.places import environment
from nearfield.reductions.stack import Stack

MAX_ENTRY = 256_000_000
MAX_TOTAL = 1_000_000_000
T = TypeVar("T")
_DAMAGED = (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile)


def key(path: str, name: str | None, frame_ndim: int | None) -> str:
    """What was asked for, where HDF5 looks for files, and how an entry is written."""
    asked = repr((columns.VERSION, path, name, frame_ndim, environment()))
    return hashlib.sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()


def key_of(*asked: object) -> str:
    """The same of anything else whose ``repr`` tells it from all others."""
    return hashlib.sha256(
        repr((columns.VERSION, asked)).encode("utf-8", "surrogateescape")
    ).hexdigest()


def load(entry: str) -> Stack | None:
    """The stack, if its files are as they were."""
    if (found := _load(entry, columns.read)) is None:
        return None
    stack, more = found
    return stack if _still(stack, more["absent"], more["cwd"]) else None


def load_arrays(entry: str) -> columns.Arrays | None:
    """What was kept by ``save_arrays``: whoever asks compares what it rests on."""
    return _load(entry, _arrays)


def _arrays(file: BinaryIO) -> columns.Arrays:
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _load(entry: str, read: Callable[[BinaryIO], T]) -> T | None:
    if (folder := _folder(make=False)) is None:
        return None
    path = folder / entry
    try:
        with path.open("rb") as file:
            found = read(file)
    except FileNotFoundError:
        return None
    except _DAMAGED:
        _remove(path)
        return None
    with suppress(OSError):
        os.utime(path)
    return found


def _still(stack: Stack, absent: Iterable[str], cwd: str | None) -> bool:
    try:
        if cwd is not None and cwd != os.getcwd():  # noqa: PTH109
            return False
        if any(os.path.exists(path) for path in absent):  # noqa: PTH110
            return False
        return all(unchanged(file_id(file.path), file) for file in stack.files)
    except OSError:
        return False


def save(entry: str, stack: Stack, absent: Iterable[str]) -> None:
    """Keep it, unless one of its files is so young that its stamps say too little."""
    now = time.time()
    if stack.partial or not all(may_be_kept(file, now) for file in stack.files):
        return
    tried = sorted(absent)

    def write(file: BinaryIO) -> None:
        where = os.getcwd() if tried else None  # noqa: PTH109
        columns.write(file, stack, {"absent": tried, "cwd": where})

    _save(entry, write)


def save_arrays(entry: str, arrays: columns.Arrays) -> None:
    """Keep arrays that rest on no young file: whoever gives them has looked."""
    _save(entry, lambda file: np.savez(file, allow_pickle=False, **arrays))


def _save(entry: str, write: Callable[[BinaryIO], None]) -> None:
    if (folder := _folder(make=True)) is None:
        return
    made = folder / f".{entry}.{secrets.token_hex(8)}"
    try:
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file:
            write(file)
        if made.stat().st_size <= MAX_ENTRY:
            made.replace(folder / entry)
            _shrink(folder)
    except OSError:  # full, or no longer there
        return
    finally:
        _remove(made)


def _folder(*, make: bool) -> Path | None:
    """Where entries are; ``None`` where it is not, or others may write to it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(base) if base.startswith("/") else Path.home() / ".cache"
        folder = root / "nearfield" / "index"
        if make:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        said = folder.stat()
    except (OSError, RuntimeError):
        return None
    return folder if said.st_uid == os.geteuid() and not said.st_mode & 0o022 else None


def _shrink(folder: Path) -> None:
    """Take away what was not used for the longest time, until the rest is small enough."""
    found = sorted(
        (
            (said.st_mtime, said.st_size, one.path)
            for one in os.scandir(folder)
            if (said := one.stat())
        ),
        reverse=True,
    )
    total = 0
    for _, size, path in found:
        total += size
        if total > MAX_TOTAL:
            _remove(Path(path))


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
