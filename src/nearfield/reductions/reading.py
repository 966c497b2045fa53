"""Frames of a stack, block by block: decoded once, given away while it is in cache."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import numpy as np

from nearfield.errors import DataFileError
from nearfield.reductions.decode import _native
from nearfield.reductions.decode._libraries import address
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Stack

BLOCK = 1 << 19
"""Bytes of a block: with a kernel's own arrays it stays in a core's cache."""


def blocks(stack: Stack, start: int, stop: int) -> Iterator[tuple[int, Array]]:
    part = stack.parts[0]
    s = part.stored
    kind = _native.BITSHUFFLE_LZ4 if s.filters else _native.PLAIN
    dec = address("bshuf", "bshuf_decompress_lz4")
    pread = address(None, "pread")
    c0 = s.chunk[0]
    rows = max(1, BLOCK // s.chunk_bytes)
    out = np.empty((rows, s.chunk_bytes), "u1")
    scratch = np.empty(int(s.size.max()), "u1")
    fd = os.open(s.files[0].path, os.O_RDONLY)
    fds = np.full(rows, fd, "i8")
    pixels = math.prod(stack.frame_shape)
    try:
        for r in range(start // c0, -(-stop // c0), rows):
            e = min(r + rows, -(-stop // c0))
            n, code = _native.read_chunks(
                pread,
                dec,
                kind,
                s.dtype.itemsize,
                fds,
                s.offset[r:e, 0],
                s.size[r:e, 0],
                scratch,
                out,
            )
            if code:
                raise DataFileError(s.files[0].path, f"frame {(r + n) * c0}: {code}")
            got = out[: e - r].reshape(-1).view(stack.dtype).reshape(-1, pixels)
            a, b = max(start, r * c0), min(stop, e * c0)
            yield a, got[a - r * c0 : b - r * c0]
    finally:
        os.close(fd)
