"""What a stack of frames is as bytes: which piece of which file holds which frames.

A stack is an array whose first axis counts frames. It is made of parts: runs of frames that one
stored array holds, all of a frame or a region of it. An index (``nearfield.reductions.index``)
makes a stack from a file once; after that nothing of HDF5 is needed to read it.

Everything that grows with the number of frames is a numpy array with one row per chunk, never a
Python object: a stack of 10**6 frames is a few tens of MB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABSENT = np.uint64(0xFFFFFFFFFFFFFFFF)
"""The offset of a chunk that was never written: its frames are the fill value."""

DAMAGED = np.uint64(0xFFFFFFFFFFFFFFFE)
"""The offset of a chunk whose place makes no sense: beyond the end of its file, or in a file that
is there and cannot be opened. To read it is an error that names file and frame."""

Shape = tuple[int, ...]

GZIP, CRC32C = -1, -2
"""Steps of Zarr that HDF5 has no number for: a gzip stream (RFC 1952), and four bytes of checksum
at the end."""


@dataclass(frozen=True)
class Filter:
    """One step of an HDF5 filter pipeline, in the order in which it was applied in writing.

    ``id`` is as registered with The HDF Group: 1 deflate, 2 shuffle, 32008 bitshuffle, …; or one
    of Zarr's, :data:`GZIP`, :data:`CRC32C`.
    """

    id: int
    options: tuple[int, ...] = ()


@dataclass(frozen=True)
class FileId:
    """A file as it was when it was indexed; another one by now is noticed when it is opened."""

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    growing: bool = False
    """Written while it is read (SWMR): it may grow, and what is in its index stays where it is."""


@dataclass(frozen=True, eq=False)
class Stored:
    """One stored array: its chunks, and how they are decoded.

    ``shape`` and ``chunk`` have the frames first. A contiguous array has chunks of one frame
    without filters. Arrays of many files that are stored alike are one, row after row: where such
    an array ends within a chunk, some numbers of stored frames stand for no frame at all, and no
    part asks for them.
    """

    dtype: np.dtype[np.generic]
    """As in the file, byte order too: the stack's own or its byte order swapped."""
    shape: Shape
    chunk: Shape
    filters: tuple[Filter, ...]
    fill: np.generic
    files: Sequence[FileId]
    file: NDArray[np.uint32]
    """(rows, tiles): which of ``files``; rows along the frames, tiles over the rest, C order."""
    offset: NDArray[np.uint64]
    """(rows, tiles): where the chunk's bytes begin, or :data:`ABSENT`."""
    size: NDArray[np.uint64]
    """(rows, tiles): bytes of the chunk as stored."""
    mask: NDArray[np.uint32]
    """(rows, tiles): bit *i* set: filter *i* was left out for this chunk."""

    @property
    def grid(self) -> Shape:
        """How many chunks lie along each axis of a frame."""
        return tuple(-(-n // c) for n, c in zip(self.shape[1:], self.chunk[1:], strict=True))

    @cached_property
    def largest(self) -> int:
        """Bytes of the largest chunk as stored; looked for once, not for each task."""
        return int(self.size.max(initial=0))

    @property
    def chunk_bytes(self) -> int:
        """Of one chunk, decoded."""
        return math.prod(self.chunk) * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class Part:
    """Frames ``start … start + count`` of a stack: ``first``, ``first + step``, … of ``stored``.

    Where they are in no such order, ``frames`` says for each its number in ``stored``, or -1 for
    a frame that this part has nothing of. ``at`` is the corner of its region in the stack's
    frame, ``of`` the corner in the stored frame, ``box`` the region's shape; a whole frame has
    both corners 0.
    """

    start: int
    count: int
    stored: Stored
    first: int = 0
    step: int = 1
    at: Shape = ()
    of: Shape = ()
    box: Shape = ()
    frames: NDArray[np.int64] | None = None

    @property
    def whole(self) -> bool:
        """Is its region the whole stored frame, laid at the corner of the stack's frame?"""
        return not any(self.at) and not any(self.of) and self.box == self.stored.shape[1:]

    def taken(self, start: int, stop: int) -> NDArray[np.int64]:
        """The numbers in ``stored`` of the stack's frames ``start … stop``, all of this part."""
        begin = start - self.start
        end = max(begin, stop - self.start)
        if self.frames is not None:
            return self.frames[begin:end]
        return self.first + self.step * np.arange(begin, end, dtype=np.int64)


@dataclass(frozen=True)
class Held:
    """A dataset as h5py opens it, and how many of the stack's frames it holds."""

    path: str
    name: str
    frames: int


@dataclass(frozen=True)
class Asked:
    """What was opened: the arguments of ``index.open_stack``."""

    path: str
    name: str | None
    frame_ndim: int | None


@dataclass(frozen=True, eq=False)
class Stack:
    """An array of frames, resolved to bytes of files."""

    shape: Shape
    """(frames, *frame)."""
    dtype: np.dtype[np.generic]
    """In this machine's byte order."""
    fill: np.generic
    """What a frame holds where no part does."""
    parts: tuple[Part, ...]
    """By ``start``; several parts may hold regions of the same frames, the later one on top."""
    files: tuple[FileId, ...]
    """All that the index rests on: the root file, and each source that exists."""
    missing: tuple[str, ...] = ()
    """Source files that do not exist: their frames are the fill value, as HDF5 gives them."""
    partial: bool = False
    """The file is still being written: these are the frames that existed."""
    attributes: dict[str, object] = field(default_factory=dict)
    """Of the dataset, as the file gives them: ``units``, ``long_name``, ...."""
    outer: Shape = ()
    """The axes of the dataset that count frames, e.g. ``(ny, nx)`` of a scan; their product is the
    number of frames, in C order."""
    held: tuple[Held, ...] = ()
    """The datasets that hold the frames one after the other, for a reading by h5py; their axes
    before the frame's are flattened in C order."""
    refused: str | None = None
    """Why the bytes were not resolved: there are no parts, and h5py has to read ``held``."""
    asked: Asked | None = None
    """For ``index.renewed``, where the files have changed since."""
    plotted: str | None = None
    """The dataset that the file says to plot, looked for where none was named."""
    skipped: int = 0
    """Frames of ``held`` that come before this stack's first one."""
    corner: Shape = ()
    """Of this stack's frame in the frame of ``held``; empty where it is all of that."""
    memory: NDArray[Any] | None = None
    """All frames, where they are in memory: there are neither files nor parts."""

    @property
    def frame_shape(self) -> Shape:
        return self.shape[1:]

    @cached_property
    def spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each part, the first frame and the one after its last."""
        begins = np.array([part.start for part in self.parts], np.int64)
        return begins, begins + np.array([part.count for part in self.parts], np.int64)

    @property
    def frame_bytes(self) -> int:
        """Of one frame, decoded."""
        return math.prod(self.frame_shape) * self.dtype.itemsize
