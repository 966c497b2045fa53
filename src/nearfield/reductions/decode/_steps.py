"""The steps by which a stored chunk becomes its elements, as loops that hold no lock.

Sources of the formats: *HDF5 File Format Specification* (shuffle, Fletcher-32); the bitshuffle
filter 32008 (8 bytes of size, 4 of block size, big endian, then blocks of a 4-byte length and LZ4
or Zstandard data; what is over after whole groups of eight elements lies plain at the end); the
LZ4 filter 32004 (the same header; a block as long as its content is stored plain); Blosc 1, whose
chunks tell their sizes in a header of 16 bytes; Zstandard frames; deflate in zlib's wrapping and
in gzip's, where several streams one after the other are one; Zarr's CRC-32C at the end.
"""

from __future__ import annotations

import numpy as np

from nearfield.reductions.decode._crc32c import crc32c
from nearfield.reductions.decode._libraries import call, jit

SHUFFLE, FLETCHER32, BITSHUFFLE, BITSHUFFLE_BLOCKS, LZ4, ZSTD, BLOSC, DEFLATE = range(1, 9)
GZIP, CRC32C = 9, 10
CHECKS = (FLETCHER32, CRC32C)
"""Steps that only compare, and take their four bytes away."""

OK, SHORT, DAMAGED, CHECKSUM = 0, 1, 2, 3
"""What a chunk ends with: all well; fewer bytes in the file than the table says; bytes that do
not decode to a chunk; a wrong checksum. A negative one is ``-errno`` of the read."""


@jit()
def _be32(data, at):  # type: ignore[no-untyped-def]
    return (
        (np.int64(data[at]) << 24)
        | (np.int64(data[at + 1]) << 16)
        | (np.int64(data[at + 2]) << 8)
        | np.int64(data[at + 3])
    )


@jit()
def _copy(data, at, out, to, count):  # type: ignore[no-untyped-def]
    """As slices do it, whose compiling takes a second."""
    for i in range(count):
        out[to + i] = data[at + i]


@jit()
def _bitshuffle_block(data, size, total, itemsize):  # type: ignore[no-untyped-def]
    """Elements a block, or -1 where the blocks do not fill the chunk exactly.

    The decoder believes the lengths that stand in the data, so they are looked at before.
    """
    if size < 12 or _be32(data, 0) != total >> 32 or _be32(data, 4) != total & 0xFFFFFFFF:
        return np.int64(-1)
    block = _be32(data, 8)
    if block <= 0 or block % (8 * itemsize) != 0:
        return np.int64(-1)
    elements = total // itemsize
    left = elements - elements % 8
    at, each = np.int64(12), block // itemsize
    while left > 0:
        if at + 4 > size:
            return np.int64(-1)
        length = _be32(data, at)
        if length <= 0 or at + 4 + length > size:
            return np.int64(-1)
        at += 4 + length
        left -= min(each, left)
    if at + elements % 8 * itemsize != size:
        return np.int64(-1)
    return each


@jit()
def _bitshuffle_blocks(decoder, data, size, out, itemsize):  # type: ignore[no-untyped-def]
    each = _bitshuffle_block(data, size, out.size, itemsize)
    if each < 0:
        return DAMAGED
    done = call(
        decoder,
        (
            np.int64(data.ctypes.data) + 12,
            np.int64(out.ctypes.data),
            np.int64(out.size // itemsize),
            np.int64(itemsize),
            each,
        ),
    )
    return OK if done == size - 12 else DAMAGED


@jit()
def _lz4_blocks(decoder, data, size, out):  # type: ignore[no-untyped-def]
    if size < 12 or _be32(data, 0) != out.size >> 32 or _be32(data, 4) != out.size & 0xFFFFFFFF:
        return DAMAGED
    block = _be32(data, 8)
    if block <= 0:
        return DAMAGED
    at, done = np.int64(12), np.int64(0)
    while done < out.size:
        if at + 4 > size:
            return DAMAGED
        length, wanted = _be32(data, at), min(block, out.size - done)
        at += 4
        if length <= 0 or at + length > size:
            return DAMAGED
        if length == wanted:
            _copy(data, at, out, done, wanted)
        else:
            source, target = np.int64(data.ctypes.data) + at, np.int64(out.ctypes.data) + done
            if np.int32(call(decoder, (source, target, length, wanted))) != wanted:
                return DAMAGED
        at += length
        done += wanted
    return OK


@jit()
def _whole(kind, decoder, data, size, out, inflater):  # type: ignore[no-untyped-def]
    """Decoders of one call: deflate, Zstandard and Blosc."""
    source, target = np.int64(data.ctypes.data), np.int64(out.ctypes.data)
    if kind == DEFLATE:
        # Without a place for the size that came out, any other than this one is an error.
        args = (inflater, source, np.int64(size), target, np.int64(out.size), np.int64(0))
        return OK if np.int32(call(decoder, args)) == 0 else DAMAGED
    if kind == ZSTD:
        return (
            OK
            if call(decoder, (target, np.int64(out.size), source, np.int64(size))) == out.size
            else DAMAGED
        )
    if size < 16:
        return DAMAGED
    plain = data[4] | data[5] << 8 | data[6] << 16 | np.int64(data[7]) << 24
    stored = data[12] | data[13] << 8 | data[14] << 16 | np.int64(data[15]) << 24
    if plain != out.size or stored != size:
        return DAMAGED
    done = np.int32(call(decoder, (source, target, np.int64(out.size), np.int64(1))))
    return OK if done == out.size else DAMAGED


@jit()
def _gunzip(decoder, data, size, out, inflater):  # type: ignore[no-untyped-def]
    """Streams one after the other, and zeros behind them, as ``gzip`` reads them."""
    told = np.zeros(2, np.int64)
    at, done = np.int64(0), np.int64(0)
    source, target = np.int64(data.ctypes.data), np.int64(out.ctypes.data)
    where = np.int64(told.ctypes.data)
    while at < size and (data[at] != 0 or at == 0):
        args = (
            inflater,
            source + at,
            size - at,
            target + done,
            np.int64(out.size) - done,
            where,
            where + 8,
        )
        if np.int32(call(decoder, args)) != 0:
            return DAMAGED
        at += told[0]
        done += told[1]
    for i in range(at, size):
        if data[i] != 0:
            return DAMAGED
    return OK if done == out.size else DAMAGED


@jit()
def _unshuffle(data, out, itemsize):  # type: ignore[no-untyped-def]
    n = out.size // itemsize
    if itemsize == 2:
        for i in range(n):
            out[2 * i] = data[i]
            out[2 * i + 1] = data[n + i]
    elif itemsize == 4:
        for i in range(n):
            out[4 * i] = data[i]
            out[4 * i + 1] = data[n + i]
            out[4 * i + 2] = data[2 * n + i]
            out[4 * i + 3] = data[3 * n + i]
    elif itemsize == 8:
        for i in range(n):
            out[8 * i] = data[i]
            out[8 * i + 1] = data[n + i]
            out[8 * i + 2] = data[2 * n + i]
            out[8 * i + 3] = data[3 * n + i]
            out[8 * i + 4] = data[4 * n + i]
            out[8 * i + 5] = data[5 * n + i]
            out[8 * i + 6] = data[6 * n + i]
            out[8 * i + 7] = data[7 * n + i]
    else:
        for j in range(itemsize):
            for i in range(n):
                out[i * itemsize + j] = data[j * n + i]
    for i in range(n * itemsize, out.size):
        out[i] = data[i]


@jit()
def _fletcher32(data, size):  # type: ignore[no-untyped-def]
    one, two = np.uint32(0), np.uint32(0)
    at, words = 0, size // 2
    while words > 0:
        many = min(words, 360)  # as many as fit 32 bits before the sums are folded
        words -= many
        for _ in range(many):
            one += np.uint32(data[at]) << np.uint32(8) | np.uint32(data[at + 1])
            two += one
            at += 2
        one = (one & np.uint32(0xFFFF)) + (one >> np.uint32(16))
        two = (two & np.uint32(0xFFFF)) + (two >> np.uint32(16))
    if size % 2:
        one += np.uint32(data[at]) << np.uint32(8)
        two += one
        one = (one & np.uint32(0xFFFF)) + (one >> np.uint32(16))
        two = (two & np.uint32(0xFFFF)) + (two >> np.uint32(16))
    one = (one & np.uint32(0xFFFF)) + (one >> np.uint32(16))
    two = (two & np.uint32(0xFFFF)) + (two >> np.uint32(16))
    return np.int64(two) << 16 | np.int64(one)


@jit()
def checked(kind, data, size):  # type: ignore[no-untyped-def]
    """Is the checksum at the end right? HDF5 before 1.6.3 wrote its bytes swapped in pairs."""
    if size < 4:
        return False
    said = np.int64(data[size - 4]) | np.int64(data[size - 3]) << 8
    said |= np.int64(data[size - 2]) << 16 | np.int64(data[size - 1]) << 24
    if kind == CRC32C:
        return said == crc32c(data, size - 4)
    found = _fletcher32(data, size - 4)
    swapped = (found & 0x00FF00FF) << 8 | (found & 0xFF00FF00) >> 8
    return said in (found, swapped)


@jit()
def undo(steps, mask, data, size, out, spare, inflater):  # type: ignore[no-untyped-def]  # noqa: PLR0912
    """One chunk: ``data[:size]`` as stored, into ``out``.

    Args:
        steps: ``(n, 4)`` int64: kind, address of the C function, bytes of an element, number of
            the filter; in the order in which they are undone.
        mask: Filters that were left out for this chunk.
        data, spare: At least as large as ``out`` and as ``size``.
        inflater: libdeflate's memory for this thread; 0 where no step is deflate.
    """
    last = -1
    for s in range(steps.shape[0]):
        if not mask >> steps[s, 3] & 1 and steps[s, 0] not in CHECKS:
            last = s
    for s in range(steps.shape[0]):
        kind, decoder, itemsize = steps[s, 0], steps[s, 1], steps[s, 2]
        if mask >> steps[s, 3] & 1:
            continue
        if kind in CHECKS:
            if not checked(kind, data, size):
                return CHECKSUM
            size -= 4
            continue
        target = out if s == last else spare[: out.size]
        if kind in (SHUFFLE, BITSHUFFLE) and size != out.size:
            return DAMAGED
        if kind in (BITSHUFFLE, BITSHUFFLE_BLOCKS) and out.size % itemsize != 0:
            return DAMAGED  # as its filter has it: no whole number of elements
        code = OK
        if kind == SHUFFLE:
            _unshuffle(data, target, itemsize)
        elif kind == BITSHUFFLE:
            elements = out.size // itemsize
            whole = elements - elements % 8
            source, into = np.int64(data.ctypes.data), np.int64(target.ctypes.data)
            args = (source, into, np.int64(whole), np.int64(itemsize), np.int64(0))
            if call(decoder, args) < 0:
                return DAMAGED
            _copy(data, whole * itemsize, target, whole * itemsize, out.size - whole * itemsize)
        elif kind == BITSHUFFLE_BLOCKS:
            code = _bitshuffle_blocks(decoder, data, size, target, itemsize)
        elif kind == LZ4:
            code = _lz4_blocks(decoder, data, size, target)
        elif kind == GZIP:
            code = _gunzip(decoder, data, size, target, inflater)
        else:
            code = _whole(kind, decoder, data, size, target, inflater)
        if code != OK:
            return code
        if s != last:
            data, spare = spare, data
        size = np.int64(out.size)
    if last < 0:
        if size != out.size:
            return DAMAGED
        _copy(data, 0, out, 0, out.size)
    return OK
