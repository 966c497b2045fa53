"""Frames of a stack, block by block: decoded once, given away while it is in cache."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from nearfield.errors import DataFileError
from nearfield.reductions import by_h5py, by_library, by_zarr, in_memory
from nearfield.reductions.assembling import Fail, Layer
from nearfield.reductions.chunks import Chunks
from nearfield.reductions.decode.pipeline import NotUnderstood
from nearfield.reductions.index.images import is_images
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.open_files import OpenFiles
from nearfield.reductions.stack import Part, Stack
from nearfield.reductions.unreadable import Noted, without

BLOCK = 1 << 21
"""Bytes of a block: it stays in a processor's cache, and what Python does for it does not count."""
HELD = 152 << 20
"""Bytes of frames that all threads together may hold while they put them together; the chunks that
they decode for it are a quarter of that."""


def blocks(
    stack: Stack, start: int, stop: int, noted: Noted | None = None, step: int = 1
) -> Iterator[tuple[int, Array]]:
    """The frames ``start``, ``start + step``, … before ``stop`` of a stack.

    Args:
        noted: Takes what cannot be read; by default that is an error.

    Yields:
        The first frame of a block, and the block: ``(n, pixels)``, contiguous, in this machine's
        byte order. It is overwritten by the next one.

    Raises:
        DataFileError: with the file, and the frame at which it cannot be read.
        FileChanged: a file was replaced or written to while it was read, so that blocks that were
            given already may be wrong.
    """
    noted = noted or Noted()
    if stack.memory is not None:
        held = in_memory.blocks(stack, start, stop, max(1, BLOCK // max(1, stack.frame_bytes)))
        yield from _thinned(held, start, step)
        return
    if stack.refused is not None:
        yield from _thinned(_by_h5py(stack, start, stop, noted, stack.refused), start, step)
        return
    with OpenFiles(start, stop) as files:
        begins, ends = stack.spans
        used = np.flatnonzero((begins < stop) & (ends > start))
        parts = [stack.parts[i] for i in used.tolist()]
        readers: dict[int, Chunks] = {}
        try:
            for part in parts:
                if id(part.stored) not in readers:
                    readers[id(part.stored)] = Chunks(part.stored, files)
        except NotUnderstood as why:
            yield from _thinned(_by_h5py(stack, start, stop, noted, str(why)), start, step)
            return
        begins, ends = np.maximum(begins[used], start), np.minimum(ends[used], stop)
        edges = np.unique(np.concatenate(([start, stop], begins, ends))).tolist()
        layers: dict[int, Layer] = {}
        for begin, end in pairwise(edges):
            # Each of these holds all the frames from one edge to the next.
            here = np.flatnonzero((begins <= begin) & (ends > begin)).tolist()
            # Where a step is no longer than a chunk, each chunk has a frame that is wanted.
            skips = step > max((parts[i].stored.chunk[0] for i in here), default=1)
            if len(here) == 1 and _plain(parts[here[0]], stack) and not skips:
                part = parts[here[0]]
                found = _direct(stack, part, readers[id(part.stored)], begin, end, noted)
                yield from _thinned(found, start, step)
                continue
            for gone in [i for i in layers if i not in here]:
                del layers[gone]
            for i in here:
                if i not in layers:
                    reader = readers[id(parts[i].stored)]
                    layers[i] = Layer(parts[i], reader, _held() // (4 * len(here)))
            over = [layers[i] for i in here]
            first = begin + -(begin - start) % step if skips else begin
            wanted = range(first, end, step if skips else 1)
            if wanted:
                found = _assembled(stack, [parts[i] for i in here], over, wanted, noted)
                yield from found if skips else _thinned(found, start, step)
        files.check()


def _thinned(
    found: Iterator[tuple[int, Array]], start: int, step: int
) -> Iterator[tuple[int, Array]]:
    """Every ``step``-th frame of these blocks, from ``start`` on."""
    for at, block in found:
        skipped = -(at - start) % step
        if step == 1:
            yield at, block
        elif len(some := block[skipped::step]):
            yield at + skipped, np.ascontiguousarray(some)


def _by_h5py(
    stack: Stack, start: int, stop: int, noted: Noted, why: str
) -> Iterator[tuple[int, Array]]:
    if not stack.held:
        raise DataFileError(stack.files[0].path, f"its frames cannot be decoded: {why}")
    each = max(1, stack.frame_bytes)
    block, held = max(1, BLOCK // each), max(1, _held() // each)
    if os.path.isdir(stack.held[0].path):  # noqa: PTH112 - Zarr's alone
        yield from by_zarr.blocks(stack, start, stop, noted, block, held)
        return
    if is_images(stack.held[0].path):
        yield from by_library.blocks(stack, start, stop, noted, block)
        return
    yield from by_h5py.blocks(stack, start, stop, noted, block, held)


def _held() -> int:
    return max(8 << 20, HELD // len(os.sched_getaffinity(0)))


def _plain(part: Part, stack: Stack) -> bool:
    """Is a row of chunks just frames of the stack, in order?"""
    s = part.stored
    return (
        part.whole
        and part.frames is None
        and part.step == 1
        and s.offset.shape[1] == 1
        and s.chunk[1:] == s.shape[1:] == stack.frame_shape
    )


def _direct(
    stack: Stack, part: Part, reader: Chunks, start: int, stop: int, noted: Noted
) -> Iterator[tuple[int, Array]]:
    """From the decoder to who asks, without a copy."""
    s = part.stored
    frames, pixels = s.chunk[0], math.prod(stack.frame_shape)
    to_stored = part.first - part.start
    rows = max(1, BLOCK // max(1, s.chunk_bytes))
    first, last = (start + to_stored) // frames, -(-(stop + to_stored) // frames)
    buffer = np.empty((min(rows, last - first), s.chunk_bytes), "u1")
    for row in range(first, last, rows):
        end = min(row + rows, last)
        out = buffer[: end - row]
        failures = reader.read(np.arange(row, end), 0, out, every=noted.collect)
        base = row * frames - to_stored
        begin, stopped = max(start, base), min(stop, end * frames - to_stored)
        holes = []
        for failure in failures:
            low = max(begin, base + failure.at * frames)
            holes.append((low, min(stopped, base + (failure.at + 1) * frames)))
            noted.add(*holes[-1], failure.path, failure.words)
        found = out.view(stack.dtype).reshape(-1, pixels)
        for low, high in without(begin, stopped, holes):
            yield low, found[low - base : high - base]


def _assembled(
    stack: Stack, parts: list[Part], layers: list[Layer], wanted: range, noted: Noted
) -> Iterator[tuple[int, Array]]:
    """Frames made of regions, or that nothing holds; the later part on top.

    A window of frames is as long as the chunks are, so that each chunk is decoded once, and no
    longer than the memory for it. Where it is shorter the chunks are decoded again for the next.
    """
    each = max(1, stack.frame_bytes)
    block = max(1, BLOCK // each)
    chunk = max((part.stored.chunk[0] for part in parts), default=1)
    if wanted.step > 1:  # no two of them are in one chunk
        chunk = 1
    most = max(1, _held() // each)
    frames = min(max(block // chunk * chunk, chunk), max(block, most))
    window = np.empty((min(frames, len(wanted)), *stack.frame_shape), stack.dtype)
    begin = 0
    while begin < len(wanted):
        end = min(len(wanted), begin + frames)
        if parts and chunk > 1 and end < len(wanted):  # end where a row of chunks does
            over = (parts[0].first + wanted.start + end - parts[0].start) % chunk
            end = end - over if end - over > begin else end
        here, these = window[: end - begin], wanted[begin:end]
        here[:] = stack.fill
        holes: list[tuple[int, int]] = []
        fail = _failing(noted, holes, these)
        for layer in layers:
            layer.lay(here, these, fail, every=noted.collect)
        flat = here.reshape(len(here), -1)
        for low, high in without(0, len(here), holes):
            for some in range(low, high, block):
                yield these[some], flat[some : min(some + block, high)]
        begin = end


def _failing(noted: Noted, holes: list[tuple[int, int]], frames: range) -> Fail:
    def fail(which: Array, path: str, words: str) -> None:
        apart = 1 if frames.step == 1 else 0  # each frame of a choice is told by itself
        for run in np.split(which, np.flatnonzero(np.diff(which) != apart) + 1):
            low, high = int(run[0]), int(run[-1]) + 1
            noted.add(frames[low], frames[high - 1] + 1, path, words)
            holes.append((low, high))

    return fail
