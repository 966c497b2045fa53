"""The files of an array, one for each chunk or shard, as columns: 10**5 of them are a few MB.

A folder is listed once and a file looked at once. Which files there are is part of what an index
rests on: one that appears later makes it another index, as one that changes does.
"""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import overload

import numpy as np
from numpy.typing import NDArray

from nearfield.errors import DataFileError
from nearfield.reductions.index.files import FRESH, file_id, tick_of, unchanged
from nearfield.reductions.index.zarrs.layout import Keys
from nearfield.reductions.stack import FileId, Shape

_FEW = 4
"""So many files that may be below a folder are asked for by name: it is not listed."""
COLUMNS = ("inode", "size", "mtime_ns", "ctime_ns")
NOTHING, NO_FILE = -1, -2
"""In place of a size: there is no such file; there is something else (a folder)."""


@dataclass(frozen=True, eq=False)
class ChunkFiles(Sequence[FileId]):
    """By the number of a place in ``grid``, C order; a place without a file has a size below 0."""

    folder: str
    keys: Keys
    grid: Shape
    columns: NDArray[np.int64]
    """(4, places): see :data:`COLUMNS`."""

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    @overload
    def __getitem__(self, number: int) -> FileId: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[FileId]: ...
    def __getitem__(self, number: int | slice) -> FileId | Sequence[FileId]:
        if isinstance(number, slice):
            return [self[i] for i in range(len(self))[number]]
        inode, size, mtime, ctime = self.columns[:, number].tolist()
        return FileId(self.path(number), 0, inode % (1 << 64), size, mtime, ctime)

    def path(self, number: int) -> str:
        """Where the file of a place is, or would be."""
        place = [str(i) for i in np.unravel_index(number, self.grid)]
        first = [self.keys.first] if self.keys.first else []
        return f"{self.folder}/{self.keys.separator.join(first + place)}"

    @property
    def size(self) -> NDArray[np.int64]:
        """Bytes, or :data:`NOTHING`, or :data:`NO_FILE`."""
        found: NDArray[np.int64] = self.columns[1]
        return found

    def as_indexed(self, number: int) -> bool:
        """Is the file as it was, or still not there? Raises OSError."""
        try:
            now = file_id(self.path(number))
        except (FileNotFoundError, NotADirectoryError):
            return bool(self.size[number] == NOTHING)
        return unchanged(now, self[number])

    def fresh(self) -> bool:
        """Was one of them written within the last seconds, or by a clock that is ahead?"""
        latest = int(self.columns[2].max(initial=0))
        return time.time() - latest / 1e9 < FRESH

    def may_be_kept(self) -> bool:
        """Are all so old that another change of them has another stamp?"""
        latest = int(self.columns[2:].max(initial=0))
        return time.time() - latest / 1e9 >= FRESH


def listed(folder: str, keys: Keys, grid: Shape) -> ChunkFiles:
    """The files as they are once the tick of the last change is over.

    Raises:
        DataFileError: a folder or file cannot be read.
    """
    for _ in range(3):
        found = ChunkFiles(folder, keys, grid, _columns(folder, keys, grid))
        latest = int(found.columns[3].max(initial=0))
        age, tick = time.time() - latest / 1e9, tick_of(latest)
        if not 0 <= age < tick:
            break
        time.sleep(tick - age)
    return found


def _columns(folder: str, keys: Keys, grid: Shape) -> NDArray[np.int64]:
    columns = np.zeros((len(COLUMNS), math.prod(grid)), "i8")
    columns[1] = NOTHING
    try:
        for number, said in _files(folder, keys, grid):
            size = said.st_size if stat.S_ISREG(said.st_mode) else NO_FILE
            inode = said.st_ino - (said.st_ino >> 63 << 64)  # as the same bits with a sign
            columns[:, number] = inode, size, said.st_mtime_ns, said.st_ctime_ns
    except OSError as error:
        raise DataFileError(
            os.fsdecode(error.filename or folder), f"it cannot be read: {error.strerror}"
        ) from error
    return columns


def _files(folder: str, keys: Keys, grid: Shape) -> Iterator[tuple[int, os.stat_result]]:
    if keys.separator == "/":
        below = f"{folder}/{keys.first}" if keys.first else folder
        yield from _nested(below, grid, 0)
        return
    strides = [math.prod(grid[i + 1 :]) for i in range(len(grid))]
    before = f"{keys.first}." if keys.first else ""
    for name, path in _entries(folder):
        if not name.startswith(before):
            continue
        numbers = name.removeprefix(before).split(".")
        if len(numbers) != len(grid):
            continue
        place = [_number(text, n) for text, n in zip(numbers, grid, strict=True)]
        if min(place) >= 0 and (said := _stat(path)) is not None:
            yield sum(i * s for i, s in zip(place, strides, strict=True)), said


def _nested(folder: str, rest: Shape, first: int) -> Iterator[tuple[int, os.stat_result]]:
    """The files below a folder, for places along the axes ``rest``; ``first`` is the first one's
    number."""
    under = math.prod(rest[1:])
    if under * rest[0] <= _FEW:
        for number, place in enumerate(product(*map(range, rest)), first):
            if (said := _stat("/".join([folder, *map(str, place)]))) is not None:
                yield number, said
        return
    tail = "/0" * (len(rest) - 1)
    for name, path in _entries(folder):
        if (along := _number(name, rest[0])) < 0:
            continue
        number = first + along * under
        if under > 1:
            yield from _nested(path, rest[1:], number)
        elif (said := _stat(path + tail)) is not None:
            yield number, said


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None


def _entries(folder: str) -> Iterator[tuple[str, str]]:
    """Names and paths."""
    try:
        every = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with every:
        for one in every:
            yield one.name, one.path


def _number(text: str, limit: int) -> int:
    """A place along an axis, as it is written in a key; -1 for what is none."""
    if not text.isdecimal() or not text.isascii() or (text[0] == "0" and text != "0"):
        return -1
    place = int(text) if len(text) < 20 else limit
    return place if place < limit else -1
