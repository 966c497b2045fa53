"""Frames of a stack, block by block: decoded once, given away while it is in cache."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from nearfield.errors import DataFileError
from nearfield.reductions.decode.pipeline import WORDS, Decoder
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import ABSENT, Part, Stack, Stored

BLOCK = 1 << 19
"""Bytes of a block: with a kernel's own arrays it stays in a core's cache."""
KEPT = 96 << 20
"""Bytes of decoded chunks that a reader keeps, where a chunk holds more frames than a block."""


def blocks(stack: Stack, start: int, stop: int) -> Iterator[tuple[int, Array]]:
    """The frames ``start … stop`` of a stack.

    Yields:
        The first frame of a block, and the block: ``(n, pixels)``, contiguous, in this machine's
        byte order. It is overwritten by the next one.

    Raises:
        DataFileError: with the file, and the frame at which it cannot be read.
    """
    if stack.refused is not None:
        raise DataFileError(stack.held[0].path, f"{stack.held[0].name}: {stack.refused}")
    with ExitStack() as opened:
        readers: dict[int, _Reader] = {}
        for part in stack.parts:
            used = part.start < stop and start < part.start + part.count
            if used and id(part.stored) not in readers:
                readers[id(part.stored)] = opened.enter_context(_Reader(part.stored))
        at = start
        while at < stop:
            parts = [p for p in stack.parts if p.start <= at < p.start + p.count]
            if len(parts) == 1 and _plain(parts[0], stack):
                end = min(stop, parts[0].start + parts[0].count)
                yield from _direct(stack, parts[0], readers[id(parts[0].stored)], at, end)
                at = end
            else:
                end = min(stop, at + _block_frames(stack))
                yield at, _assembled(stack, readers, at, end)
                at = end


def _plain(part: Part, stack: Stack) -> bool:
    """Is a row of chunks just frames of the stack, in order?"""
    s = part.stored
    return (
        part.whole
        and part.frames is None
        and part.step == 1
        and s.offset.shape[1] == 1
        and s.chunk[1:] == s.shape[1:] == stack.frame_shape
        and s.chunk_bytes <= KEPT
    )


def _block_frames(stack: Stack) -> int:
    return max(1, BLOCK // max(1, stack.frame_bytes))


def _direct(
    stack: Stack, part: Part, reader: _Reader, start: int, stop: int
) -> Iterator[tuple[int, Array]]:
    s = part.stored
    frames, pixels = s.chunk[0], math.prod(stack.frame_shape)
    first = part.first - part.start  # from a frame of the stack to one of the array
    rows = max(1, BLOCK // max(1, s.chunk_bytes))
    last = -(-(stop + first) // frames)
    for row in range((start + first) // frames, last, rows):
        end = min(row + rows, last)
        found = reader.rows(row, end).reshape(-1, pixels)
        begin, stopped = max(start + first, row * frames), min(stop + first, end * frames)
        yield begin - first, found[begin - row * frames : stopped - row * frames]


def _assembled(stack: Stack, readers: dict[int, _Reader], start: int, stop: int) -> Array:
    """Frames made of regions, or that nothing holds."""
    block = np.full((stop - start, *stack.frame_shape), stack.fill, stack.dtype)
    for part in stack.parts:
        begin, end = max(start, part.start), min(stop, part.start + part.count)
        for frame, source in enumerate(part.taken(begin, end).tolist(), begin):
            if source < 0:
                continue
            corner = part.at or (0,) * len(part.box)
            target = block[frame - start][
                tuple(slice(a, a + n) for a, n in zip(corner, part.box, strict=True))
            ]
            readers[id(part.stored)].copy(source, part.of or (0,) * len(part.box), target)
    return block.reshape(stop - start, -1)


class _Reader:
    """Chunks of one stored array, for one thread."""

    def __init__(self, stored: Stored) -> None:
        self._s = stored
        self._decoder = Decoder(stored)
        self._buffers = self._decoder.buffers()
        self._fds: dict[int, int] = {}
        self._kept: dict[tuple[int, int], Array] = {}
        self._rows = np.empty((0, stored.chunk_bytes), "u1")

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._fds.values():
            os.close(fd)

    def rows(self, begin: int, end: int) -> Array:
        """The only tile of some rows: ``(rows, chunk)``, in this machine's byte order."""
        if len(self._rows) < end - begin:
            self._rows = np.empty((end - begin, self._s.chunk_bytes), "u1")
        out = self._rows[: end - begin]
        self._read(begin, 0, slice(begin, end), out)
        return self._native(out)

    def copy(self, frame: int, corner: tuple[int, ...], target: Array) -> None:
        """A region of one frame into ``target``."""
        s = self._s
        row, inside = divmod(frame, s.chunk[0])
        grid = s.grid
        spans = [
            range(c // n, -(-(c + size) // n))
            for c, n, size in zip(corner, s.chunk[1:], target.shape, strict=True)
        ]
        for tile in np.ndindex(*(len(span) for span in spans)):
            at = tuple(span[i] for span, i in zip(spans, tile, strict=True))
            number = int(np.ravel_multi_index(at, grid)) if grid else 0
            held = self._chunk(row, number)[inside]
            source, into = [], []
            for a, n, c, size in zip(at, s.chunk[1:], corner, target.shape, strict=True):
                low, high = max(c, a * n), min(c + size, (a + 1) * n)
                source.append(slice(low - a * n, high - a * n))
                into.append(slice(low - c, high - c))
            target[tuple(into)] = held[tuple(source)]

    def _chunk(self, row: int, tile: int) -> Array:
        found = self._kept.get((row, tile))
        if found is None:
            out = np.empty((1, self._s.chunk_bytes), "u1")
            self._read(row, tile, slice(row, row + 1), out)
            found = self._native(out).reshape(self._s.chunk)
            if (len(self._kept) + 1) * self._s.chunk_bytes > KEPT:
                self._kept.clear()
            self._kept[row, tile] = found
        return found

    def _read(self, row: int, tile: int, rows: slice, out: Array) -> None:
        s = self._s
        offsets, sizes = s.offset[rows, tile], s.size[rows, tile]
        there = np.flatnonzero(offsets != ABSENT)
        if len(there) < len(offsets):
            out.view(s.dtype)[:] = s.fill
            for i in there:
                self._read(
                    row + int(i), tile, slice(row + int(i), row + int(i) + 1), out[i : i + 1]
                )
            return
        fds = np.array([self._fd(int(n)) for n in s.file[rows, tile]], "i8")
        done, code = self._decoder.read(fds, offsets, sizes, s.mask[rows, tile], self._buffers, out)
        if code:
            words = WORDS[code] if code > 0 else os.strerror(-code)
            file = s.files[int(s.file[row + done, tile])]
            frame = (row + done) * s.chunk[0]
            if code == -errno.EIO:
                words += ": the disk or the network under it"
            raise DataFileError(file.path, f"frame {frame}: {words}")

    def _fd(self, number: int) -> int:
        if number not in self._fds:
            self._fds[number] = os.open(self._s.files[number].path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fds[number]

    def _native(self, out: Array) -> Array:
        found = out.reshape(-1).view(self._s.dtype)
        if not self._s.dtype.isnative:
            found = found.byteswap(inplace=True).view(self._s.dtype.newbyteorder("="))
        return found
