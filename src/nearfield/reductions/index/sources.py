"""The HDF5 files that an index rests on: each opened once, and noted as it was.

HDF5's view of a file that is being written is only sound by SWMR (single writer, multiple
readers); its superblock says when a program writes so.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import h5py
from h5py import h5f, h5p

from nearfield.errors import DataFileError
from nearfield.reductions.index.files import file_id, fresh, settled, unchanged
from nearfield.reductions.index.places import Kind, places
from nearfield.reductions.index.refusing import Absent
from nearfield.reductions.stack import FileId

MAX_OPEN = 64
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WRITING, _SWMR = 1, 4
READ_ERRORS = (OSError, RuntimeError, ValueError, KeyError)
"""What h5py raises on damaged parts of a file that opens well."""


@dataclass(frozen=True, eq=False)
class Opened:
    path: str
    id: Any
    """h5py's FileID."""
    said: FileId
    writing: bool
    """Somebody has it open for writing; then ``said.growing`` says whether by SWMR."""
    closed: bool = False
    """Its superblock says that nobody has."""


@dataclass(eq=False)
class Sources:
    """Opens files, and remembers what the index rests on. A context manager."""

    files: dict[str, FileId] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    """Paths at which a file was looked for in vain: were it there, the index would be another."""
    missing: dict[str, None] = field(default_factory=dict)
    """What was named and not found, in order."""
    broken: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Files that are there and cannot be opened, and why."""
    writing: bool = False
    fresh: bool = False
    _open: OrderedDict[str, Opened] = field(default_factory=OrderedDict)
    _found: dict[tuple[str, str, Kind], str | None] = field(default_factory=dict)
    resolved: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    """Datasets that are resolved already, for those who resolve them."""

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._close(self._open.popitem()[1])

    def open(self, path: str, *, named: bool = False) -> Opened:
        """The file at an absolute path; ``named`` by the user and not by another file.

        Raises:
            Absent: there is none.
            DataFileError: it is there and cannot be opened.
        """
        if path in self.broken:
            raise self._broken(path)
        if (known := self._open.get(path)) is not None:
            self._open.move_to_end(path)
            return known
        try:
            opened = _opened(path, named)
        except (FileNotFoundError, NotADirectoryError):
            raise Absent(path) from None
        except (*READ_ERRORS, DataFileError) as error:
            self.broken[path] = reason(error), _hint(error)
            self.files.setdefault(path, file_id(path))
            raise self._broken(path) from None
        before = self.files.setdefault(path, opened.said)
        if not unchanged(opened.said, before):
            self._close(opened)
            raise DataFileError(path, "it changes while it is being indexed")
        self.writing |= opened.writing
        # Of most files only their age says whether somebody writes to them.
        self.fresh |= fresh(opened.said) and not opened.closed
        self._open[path] = opened
        while len(self._open) > MAX_OPEN:
            self._close(self._open.popitem(last=False)[1])
        return opened

    def _broken(self, path: str) -> DataFileError:
        words, hint = self.broken[path]
        return DataFileError(path, words, hint=hint)

    def find(self, referrer: str, name: str, kind: Kind) -> str:
        """The file that ``name`` in the file ``referrer`` means: the first that opens.

        Raises:
            Absent: there is none at any place.
            DataFileError: one is there and cannot be opened, and no other is found.
        """
        key = referrer.rpartition("/")[0], name, kind
        if os.path.islink(referrer):  # noqa: PTH114
            key = referrer, name, kind
        if key not in self._found:
            self._found[key] = self._find(referrer, name, kind)
        if (found := self._found[key]) is None:
            self.missing[name] = None
            raise Absent(name)
        if found in self.broken:
            raise self._broken(found)
        return found

    def _find(self, referrer: str, name: str, kind: Kind) -> str | None:
        broken = None
        for path in places(referrer, name, kind):
            try:
                self.open(path)
            except Absent:
                self.absent.add(path)
            except DataFileError:
                broken = broken or path
            else:
                return path
        return broken

    def still(self) -> str | None:
        """The first file that is not as it was when it was opened here; ``None``: all are."""
        for path, said in self.files.items():
            try:
                if not unchanged(file_id(path), said):
                    return path
            except OSError:
                return path
        return None

    @staticmethod
    def _close(opened: Opened) -> None:
        if opened.id.valid:
            opened.id.close()


@cache
def _access(degree: int) -> Any:
    plist = h5p.create(h5p.FILE_ACCESS)
    plist.set_fclose_degree(degree)
    return plist


_DEGREES = {True: (h5f.CLOSE_STRONG, h5f.CLOSE_WEAK), False: (h5f.CLOSE_WEAK, h5f.CLOSE_STRONG)}
"""All who have one file open in one process must want the same of its closing: h5py the first for
a file that somebody names, HDF5 itself the second for one that another file names."""


def _open_as(raw: bytes, flags: int, named: bool) -> Any:
    first, second = _DEGREES[named]
    try:
        return h5f.open(raw, flags, _access(first))
    except OSError as error:
        if "close degree" not in str(error):
            raise
        return h5f.open(raw, flags, _access(second))


def _opened(path: str, named: bool) -> Opened:
    raw = os.fsencode(path)
    flags = h5f.ACC_RDONLY
    marks: int | None = None
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
        # To open a pipe waits for who writes to it, for ever, and HDF5 with it.
        raise DataFileError(path, "it is a folder, a device or a pipe, and no file")
    try:
        found = _open_as(raw, flags, named)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        marks = writer_marks(path) or 0
        if marks & _WRITING and not marks & _SWMR:
            raise DataFileError(
                path,
                "it is open for writing by another program, or its writer ended in the middle",
                hint="wait for the writer; after a crash: h5clear --status FILE",
            ) from None
        if not marks & _SWMR:
            raise
        found = _open_as(raw, flags | h5f.ACC_SWMR_READ, named)
    intent = found.get_intent()
    if intent & h5f.ACC_RDWR:  # open for writing in this very process
        h5f.flush(found)
    writing = bool(marks or intent & h5f.ACC_RDWR)
    growing = bool((marks or 0) & _SWMR or intent & h5f.ACC_SWMR_WRITE)
    fd = found.get_vfd_handle()
    said = file_id(path, fd, growing=growing) if writing else settled(path, fd)
    # Read after the stamps: who begins to write later changes them.
    closed = not writing and writer_marks(path) == 0
    return Opened(path, found, said, writing, closed)


def writer_marks(path: str) -> int | None:
    """The consistency flags of an HDF5 file's superblock; ``None`` before version 3, without them.

    From the HDF5 file format specification, section II.A: bit 0, open for writing; bit 2, by SWMR.
    """
    try:
        with Path(path).open("rb") as file:
            at = 0
            while (head := file.read(12))[:8] != _SIGNATURE:
                at = 512 if at == 0 else 2 * at
                if len(head) < 12:
                    return None
                file.seek(at)
            return head[11] if head[8] >= 3 else None
    except OSError:
        return None


def reason(error: BaseException) -> str:
    """h5py's words on one line."""
    if isinstance(error, DataFileError):
        return error.reason
    words = str(error.args[-1] if error.args else error).strip() or type(error).__name__
    return " ".join(words.split())[:300]


def _hint(error: BaseException) -> str | None:
    """What to do where HDF5's words do not say it."""
    if isinstance(error, DataFileError):
        return error.hint
    if isinstance(error, PermissionError):
        return "you may not read it: ls -l says who may"
    if "signature not found" in str(error):
        return (
            "it is no HDF5 file; Zarr folders are read too, by their endings TIFF, EDF and CBF; "
            "nearfield.open_raw reads plain bytes"
        )
    if "truncated file" in str(error):
        return "it was copied or written in part: compare its size with the original's"
    return None


def high(opened: Opened) -> h5py.File:
    return h5py.File(opened.id)
