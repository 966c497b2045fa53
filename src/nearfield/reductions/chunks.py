"""Chunks of one stored array, read and decoded many at a time."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

import numpy as np

from nearfield.reductions.decode.pipeline import WORDS, Decoder
from nearfield.reductions.index.zarrs.chunk_files import ChunkFiles
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.open_files import LIMIT, REPLACED, OpenFiles, Replaced
from nearfield.reductions.stack import ABSENT, DAMAGED, Stored

NO_PLACE = "the chunk's place makes no sense: the file is damaged, or cannot be opened"


@dataclass(frozen=True)
class Failure:
    """Chunk number ``at`` of those that were asked for; its bytes in ``out`` mean nothing."""

    at: int
    path: str
    words: str


class Chunks:
    """Reads chunks of ``stored`` for one thread. Raises NotUnderstood as ``Decoder`` does."""

    def __init__(self, stored: Stored, files: OpenFiles) -> None:
        self.stored = stored
        self._decoder = Decoder(stored)
        self._buffers = self._decoder.buffers()
        self._files = files

    def read(self, rows: Array, tile: int | Array, out: Array, *, every: bool) -> list[Failure]:
        """Chunk ``rows[i]`` (of the tile ``tile``, or of ``tile[i]``) into ``out[i]``.

        Args:
            out: ``(n, chunk_bytes)`` uint8; gets elements in this machine's byte order.
            every: Go on after a failure.

        Raises:
            FileChanged: a file that was read before has changed since.
        """
        s = self.stored
        offsets, sizes = s.offset[rows, tile], s.size[rows, tile]
        files, masks = s.file[rows, tile], s.mask[rows, tile]
        failures: list[Failure] = []
        absent = offsets == ABSENT
        if absent.any():
            out.view(s.dtype)[absent] = s.fill
            failures += _appeared(s, np.flatnonzero(absent), files)
        left_out = absent | (offsets == DAMAGED)
        for at in np.flatnonzero(offsets == DAMAGED).tolist():
            failures.append(Failure(at, s.files[int(files[at])].path, NO_PLACE))
        for begin, end in _runs(left_out, files):
            if failures and not every:
                break
            at = begin
            while at < end:
                some = slice(at, end)
                fds, opened, failure = self._fds(files[some])
                some = slice(at, at + opened)
                done, code = self._decoder.read(
                    fds, offsets[some], sizes[some], masks[some], self._buffers, out[some]
                )
                at += int(done)
                if code:
                    path = s.files[int(files[at])].path
                    failures.append(Failure(at, path, _words(int(code))))
                elif failure is not None:
                    failures.append(Failure(at, s.files[int(files[at])].path, failure))
                if code or failure is not None:
                    if not every:
                        break
                    at += 1
        if not s.dtype.isnative:
            out.view(s.dtype).byteswap(inplace=True)
        return sorted(failures, key=lambda one: one.at)

    def _fds(self, numbers: Array) -> tuple[Array, int, str | None]:
        """Descriptors, of how many chunks, and why the next one has none."""
        found = np.empty(len(numbers), "i8")
        edges = np.flatnonzero(np.diff(numbers)) + 1
        at = 0
        for end in (*edges.tolist(), len(numbers)):
            try:
                found[at:end] = self._files.fd(self.stored.files[int(numbers[at])])
            except Replaced as error:
                return found[:at], at, str(error.strerror)
            except OSError as error:
                return found[:at], at, f"it cannot be opened: {error.strerror}"
            at = end
        return found, at, None


def _appeared(stored: Stored, where: Array, files: Array) -> list[Failure]:
    """Of chunks that have no place those whose file was written to since: they may have one now."""
    if not isinstance(stored.files, ChunkFiles):
        return []
    found: list[Failure] = []
    for number in np.unique(files[where]).tolist():
        try:
            if stored.files.as_indexed(number):
                continue
            words = REPLACED
        except OSError as error:
            words = f"it cannot be read: {error.strerror}"
        path = stored.files.path(number)
        found += (Failure(at, path, words) for at in where[files[where] == number].tolist())
    return found


def _runs(left_out: Array, files: Array) -> list[tuple[int, int]]:
    """Runs of chunks that are to be read, none of more files than can be open at a time."""
    n = len(left_out)
    if not left_out.any():
        edges = [0, n] if n else []
    else:
        edges = np.flatnonzero(np.diff(np.concatenate(([True], left_out, [True])))).tolist()
    runs = zip(edges[::2], edges[1::2], strict=True)
    if n <= LIMIT or (files == files[0]).all():
        return list(runs)
    return [(a, min(a + LIMIT, end)) for begin, end in runs for a in range(begin, end, LIMIT)]


def _words(code: int) -> str:
    if code > 0:
        return WORDS[code]
    words = os.strerror(-code)
    return f"{words}: the disk or the network under it" if code == -errno.EIO else words
