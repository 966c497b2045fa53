"""Stacks of images: pages of a TIFF or EDF file, numbered files, raw bytes.

Where the pixels lie in the file as they are (no compression, one piece per image) they are read
as those of a contiguous HDF5 dataset are. Else the stack is refused, and the format's own library
reads it (``nearfield.reductions.by_library``). What the headers say of the first, the middle and
the last image is compared with what the library reads.
"""

from __future__ import annotations

import glob
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.by_library import IMAGES, Image, opened_images
from nearfield.reductions.index import cache
from nearfield.reductions.index.files import fresh, settled
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.stack import Asked, FileId, Held, Part, Shape, Stack, Stored

_DIGITS = re.compile(r"(\d+)")
_HINT = "name a file, or numbered ones with a pattern: 'scan_*.tif'"


def is_images(path: str) -> bool:
    """Does the name, or pattern, end as those of images do?"""
    return path.lower().endswith(IMAGES)


@dataclass(frozen=True)
class _Run:
    """The images of one file."""

    file: FileId
    offset: NDArray[np.uint64]


def open_images(path: str, name: str | None = None, frame_ndim: int | None = None) -> Stack:
    """The images of a file, or of all files that a pattern (``*``, ``?``) means, by their numbers.

    Args:
        path: Absolute.
        name: Which series of a TIFF file with several: ``"0"``, ``"1"``, ….
        frame_ndim: 2, or nothing.

    Raises:
        UsageError: there is no such file or series, or its images are none of numbers, (y, x).
        DataFileError: a file cannot be read, or its images are not as those before it.
    """
    if frame_ndim not in {None, 2}:
        raise UsageError(f"{path!r}: a frame of an image file has 2 axes, not {frame_ndim}")
    paths = numbered(path)
    asked = Asked(path, name, None)
    key = cache.key_of("images", path, name)
    kept = cache.load(key)
    # A pattern may mean other files by now.
    if kept is not None and [file.path for file in kept.files] == paths:
        return replace(kept, asked=asked)
    stack = _indexed(paths, name, asked)
    cache.save(key, stack, ())
    return stack


def _indexed(paths: list[str], name: str | None, asked: Asked) -> Stack:
    runs: list[_Run] = []
    held: list[Held] = []
    first: Image | None = None
    refused: str | None = None
    files = [_settled(each) for each in paths]
    for file in files:
        if refused is not None and len(held) > 0 and held[0].frames == 1:
            held.append(Held(file.path, name or "", 1))  # looked at when it is read
            continue
        with opened_images(file.path, name) as images:
            found = images.header()
            first = first or found
            _same(file.path, found, first)
            held.append(Held(file.path, name or "", found.count))
            try:
                runs.append(_Run(file, images.offsets()))
            except NotUnderstood as why:
                refused = refused or f"{file.path}: {why}"
    assert first is not None  # noqa: S101 - numbered() gives one at least
    parts: tuple[Part, ...] = ()
    if refused is None:
        stored = _stored(first.shape, first.dtype, runs)
        refused = _differs(stored, held)
        parts = () if refused else (_part(stored),)
    return _stack(first.shape, first.dtype, parts, files, held, refused, asked)


def open_raw(
    path: str | os.PathLike[str],
    shape: Sequence[int],
    dtype: DTypeLike,
    *,
    offset: int = 0,
    gap: int = 0,
) -> Stack:
    """Frames that lie in a file, or in numbered files, as plain bytes.

    Args:
        path: A file, or a pattern of numbered ones.
        shape: Of one frame.
        dtype: With its byte order: ``">u2"``.
        offset: Bytes before the first frame of each file.
        gap: Bytes between two frames.

    Raises:
        UsageError: there is no such file, or it holds no whole number of frames.
    """
    kind, frame = np.dtype(dtype), tuple(int(n) for n in shape)
    _checked(os.fspath(path), kind)
    size = math.prod(frame) * kind.itemsize
    if size < 1 or offset < 0 or gap < 0:
        raise UsageError(f"{path!s}: frames of {frame}, offset {offset}, gap {gap}: none of that")
    whole = os.path.abspath(os.fspath(path))  # noqa: PTH100
    runs, held = [], []
    for each in numbered(whole):
        file = _settled(each)
        count, rest = divmod(file.size - offset + gap, size + gap)
        if rest or count < 1:
            raise UsageError(
                f"{each!r}: {file.size} bytes are no whole number of frames {frame} of {kind}",
                hint="is there a header (offset=), or one before each frame (gap=)?",
            )
        starts = offset + (size + gap) * np.arange(count, dtype=np.uint64)
        runs.append(_Run(file, starts.astype(np.uint64)))
        held.append(Held(each, "", count))
    stored = _stored(frame, kind, runs)
    parts = (_part(stored),)
    return _stack(frame, kind, parts, [run.file for run in runs], held, None, None)


def numbered(path: str) -> list[str]:
    """The file, or those of a pattern in the order of the numbers in their names."""
    if os.path.isfile(path):  # noqa: PTH113
        return [path]
    found = [each for each in glob.glob(path) if os.path.isfile(each)]  # noqa: PTH113, PTH207
    if not found:
        raise DataFileError(path, "there is no such file", hint=_HINT)
    return sorted(found, key=_by_number)


def _by_number(path: str) -> list[tuple[int, str]]:
    pieces = _DIGITS.split(path)
    return [(int(p), "") if i % 2 else (0, p) for i, p in enumerate(pieces)]


def _settled(path: str) -> FileId:
    try:
        return settled(path)
    except OSError as error:
        raise DataFileError(path, f"it cannot be read: {error.strerror}") from error


def _checked(path: str, dtype: np.dtype[np.generic]) -> None:
    if dtype.kind not in "uif" or dtype.itemsize not in {1, 2, 4, 8}:
        raise UsageError(f"{path!r}: its values are {dtype}, no plain numbers")


def _same(path: str, found: Image, first: Image) -> None:
    _checked(path, found.dtype)
    if (found.shape, found.dtype) != (first.shape, first.dtype):
        raise DataFileError(
            path,
            f"its images are {found.shape} of {found.dtype}, those before it {first.shape} of "
            f"{first.dtype}",
        )


def _stored(frame: Shape, dtype: np.dtype[np.generic], runs: list[_Run]) -> Stored:
    offset = np.concatenate([run.offset for run in runs]).reshape(-1, 1)
    counts = [len(run.offset) for run in runs]
    return Stored(
        dtype,
        (len(offset), *frame),
        (1, *frame),
        (),
        dtype.newbyteorder("=").type(0),
        tuple(run.file for run in runs),
        np.repeat(np.arange(len(runs), dtype=np.uint32), counts).reshape(-1, 1),
        offset,
        np.full_like(offset, math.prod(frame) * dtype.itemsize),
        np.zeros(offset.shape, np.uint32),
    )


def _part(stored: Stored) -> Part:
    count, *frame = stored.shape
    corner = (0,) * len(frame)
    return Part(0, count, stored, at=corner, of=corner, box=tuple(frame))


def _differs(stored: Stored, held: list[Held]) -> str | None:
    """Why the bytes are not what the library reads, of three images."""
    ends = np.cumsum([one.frames for one in held])
    for frame in sorted({0, int(ends[-1]) // 2, int(ends[-1]) - 1}):
        number = int(np.searchsorted(ends, frame, "right"))
        one = held[number]
        with opened_images(one.path, one.name or None) as images:
            there = images.read(frame - int(ends[number]) + one.frames)
        bytes_ = np.fromfile(
            one.path, stored.dtype, math.prod(stored.shape[1:]), offset=int(stored.offset[frame, 0])
        )
        if not np.array_equal(bytes_.view("u1"), there.astype(stored.dtype).reshape(-1).view("u1")):
            return f"{one.path}: image {frame} is not what its header says"
    return None


def _stack(
    frame: Shape,
    dtype: np.dtype[np.generic],
    parts: tuple[Part, ...],
    files: list[FileId],
    held: list[Held],
    refused: str | None,
    asked: Asked | None,
) -> Stack:
    count = sum(one.frames for one in held)
    native = dtype.newbyteorder("=")
    return Stack(
        (count, *frame),
        native,
        native.type(0),
        parts,
        tuple(files),
        partial=any(fresh(file) for file in files),
        outer=(count,),
        held=tuple(held),
        refused=refused,
        asked=asked,
    )
