"""What a stack of frames is as bytes: which piece of which file holds which frames.

A stack is an array whose first axis counts frames. It is made of parts: runs of frames that one
stored array holds, all of a frame or a region of it. An index (``nearfield.reductions.index``)
makes a stack from a file once; after that nothing of HDF5 is needed to read it.

Everything that grows with the number of frames is a numpy array with one row per chunk, never a
Python object: a stack of 10**6 frames is a few tens of MB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ABSENT = np.uint64(0xFFFFFFFFFFFFFFFF)
"""The offset of a chunk that was never written: its frames are the fill value."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Filter:
    """One step of an HDF5 filter pipeline, in the order in which it was applied in writing.

    ``id`` is as registered with The HDF Group: 1 deflate, 2 shuffle, 32008 bitshuffle, ….
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


@dataclass(frozen=True)
class Stored:
    """One stored array: its chunks, and how they are decoded.

    ``shape`` and ``chunk`` have the frames first. A contiguous array has chunks of one frame
    without filters.
    """

    dtype: np.dtype[np.generic]
    """As in the file, byte order too."""
    shape: Shape
    chunk: Shape
    filters: tuple[Filter, ...]
    fill: np.generic
    files: tuple[FileId, ...]
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

    @property
    def chunk_bytes(self) -> int:
        """Of one chunk, decoded."""
        return math.prod(self.chunk) * self.dtype.itemsize


@dataclass(frozen=True)
class Part:
    """Frames ``start … start + count`` of a stack: ``first``, ``first + step``, … of ``stored``.

    ``at`` is the corner of its region in the stack's frame, ``of`` the corner in the stored
    frame, ``box`` the region's shape; a whole frame has both corners 0.
    """

    start: int
    count: int
    stored: Stored
    first: int = 0
    step: int = 1
    at: Shape = ()
    of: Shape = ()
    box: Shape = ()

    @property
    def whole(self) -> bool:
        """Is its region the whole stored frame, laid at the corner of the stack's frame?"""
        return not any(self.at) and not any(self.of) and self.box == self.stored.shape[1:]


@dataclass(frozen=True)
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

    @property
    def frame_shape(self) -> Shape:
        return self.shape[1:]

    @property
    def frame_bytes(self) -> int:
        """Of one frame, decoded."""
        return math.prod(self.frame_shape) * self.dtype.itemsize
