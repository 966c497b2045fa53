"""Many chunks read and decoded in one call that holds no lock.

Sources of the formats: the bitshuffle HDF5 filter (8 bytes of size and 4 of block size, big
endian, then blocks of a 4-byte length and LZ4 data), the LZ4 HDF5 filter (the same header, blocks
that are stored plain where their length is the block's), Blosc 1 (a frame with its own header).
"""

from __future__ import annotations

import numpy as np

from nearfield.reductions.decode._libraries import call, jit

PLAIN, BITSHUFFLE, BITSHUFFLE_LZ4, BITSHUFFLE_ZSTD = 0, 1, 2, 3

OK, SHORT, DAMAGED = 0, 1, 2
"""What a chunk's reading ended with: fewer bytes than the table says, bytes that do not decode.

A negative one is ``-errno`` of the read."""


@jit()
def _be32(data, at):  # type: ignore[no-untyped-def]
    return (
        (np.int64(data[at]) << 24)
        | (np.int64(data[at + 1]) << 16)
        | (np.int64(data[at + 2]) << 8)
        | np.int64(data[at + 3])
    )


@jit()
def _sound_blocks(data, size, total, itemsize):  # type: ignore[no-untyped-def]
    """Do the blocks of a bitshuffle chunk fill it exactly? The decoder itself does not look."""
    if size < 12 or _be32(data, 0) != 0 or _be32(data, 4) != total:
        return -1
    block = _be32(data, 8)
    if block <= 0 or block % (8 * itemsize) != 0:
        return -1
    left = total // itemsize
    left -= left % 8  # what is over after whole groups of eight is stored as it is
    at = np.int64(12)
    each = block // itemsize
    while left > 0:
        if at + 4 > size:
            return -1
        length = _be32(data, at)
        if length <= 0 or at + 4 + length > size:
            return -1
        at += 4 + length
        left -= min(each, left)
    if at + (total // itemsize % 8) * itemsize != size:
        return -1
    return each


@jit()
def decode_chunk(kind, decoder, data, size, out, itemsize):  # type: ignore[no-untyped-def]
    """One chunk's bytes ``data[:size]`` into ``out`` (both ``uint8``)."""
    if kind == PLAIN:
        if size != out.size:
            return DAMAGED
        out[:] = data[:size]
        return OK
    each = _sound_blocks(data, size, out.size, itemsize)
    if each < 0:
        return DAMAGED
    done = call(
        decoder,
        (
            np.int64(data.ctypes.data) + 12,
            np.int64(out.ctypes.data),
            np.int64(out.size // itemsize),
            np.int64(itemsize),
            np.int64(each),
        ),
    )
    return OK if done == size - 12 else DAMAGED


@jit()
def read_at(pread, fd, at, size, offset):  # type: ignore[no-untyped-def]
    """Bytes of a file to the address ``at``. Gives how many came; less than 0 for an error."""
    done = np.int64(0)
    while done < size:
        got = call(pread, (np.int64(fd), at + done, np.int64(size) - done, np.int64(offset) + done))
        if got < 0:
            return np.int64(-1)
        if got == 0:
            break
        done += got
    return done


@jit()
def read_chunks(pread, decoder, kind, itemsize, fds, offsets, sizes, scratch, out):  # type: ignore[no-untyped-def]
    """Chunk *i* into ``out[i]``; stops at the first that fails.

    Returns:
        ``(i, code)``: how many are done, and what the next ended with (``OK`` when all are).
    """
    for i in range(offsets.size):
        if kind == PLAIN:
            if sizes[i] != out.shape[1]:
                return i, DAMAGED
            got = read_at(pread, fds[i], np.int64(out[i].ctypes.data), sizes[i], offsets[i])
            if got < sizes[i]:
                return i, SHORT if got >= 0 else -1
            continue
        got = read_at(pread, fds[i], np.int64(scratch.ctypes.data), sizes[i], offsets[i])
        if got < sizes[i]:
            return i, SHORT if got >= 0 else -1
        code = decode_chunk(kind, decoder, scratch, np.int64(sizes[i]), out[i], itemsize)
        if code != OK:
            return i, code
    return offsets.size, OK
