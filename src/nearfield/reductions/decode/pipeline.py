"""How the chunks of one stored array are decoded: made once from its filters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nearfield.errors import NearfieldError
from nearfield.reductions.decode import _steps
from nearfield.reductions.decode._files import read_chunks
from nearfield.reductions.decode._libraries import address
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import CRC32C, GZIP, Filter, Stored

_DEFLATE, _SHUFFLE, _FLETCHER32, _BLOSC, _LZ4, _BITSHUFFLE, _ZSTD = (
    1,
    2,
    3,
    32001,
    32004,
    32008,
    32015,
)
_SIMPLE = {
    _SHUFFLE: (_steps.SHUFFLE, None, None),
    _FLETCHER32: (_steps.FLETCHER32, None, None),
    _BLOSC: (_steps.BLOSC, "blosc", "blosc_decompress_ctx"),
    _LZ4: (_steps.LZ4, "lz4", "LZ4_decompress_safe"),
    _ZSTD: (_steps.ZSTD, "zstd", "ZSTD_decompress"),
    _DEFLATE: (_steps.DEFLATE, "deflate", "libdeflate_zlib_decompress"),
    GZIP: (_steps.GZIP, "deflate", "libdeflate_gzip_decompress_ex"),
    CRC32C: (_steps.CRC32C, None, None),
}
_COMPRESSION = {0: "bshuf_bitunshuffle", 2: "bshuf_decompress_lz4", 3: "bshuf_decompress_zstd"}
"""Of bitshuffle, by its fifth option."""

WORDS = {
    _steps.SHORT: "the file ends before the chunk does",
    _steps.DAMAGED: "the chunk is damaged: its bytes do not decode",
    _steps.CHECKSUM: "the chunk is damaged: its checksum is wrong",
}


class NotUnderstood(NearfieldError):
    """A way of storing that only HDF5 itself reads here: slower, and with its lock."""


class Decoder:
    """Reads and decodes chunks of one stored array.

    Raises:
        NotUnderstood: a filter is none of those that are known here, or its library is not there.
    """

    def __init__(self, stored: Stored) -> None:
        self._bytes = stored.chunk_bytes
        self._largest = max(self._bytes, stored.largest)
        found = [
            (*_step(each, stored.dtype.itemsize), number)
            for number, each in enumerate(stored.filters)
        ]
        found.reverse()
        if sum(kind not in (_steps.SHUFFLE, *_steps.CHECKS) for kind, *_ in found) > 1:
            raise NotUnderstood("more than one compression filter on the same data")
        kinds = [kind for kind, *_ in found]
        if not _plain_order(kinds):
            raise NotUnderstood("its filters are in an order of their own")
        self._steps = np.array(found, "i8").reshape(-1, 4)
        system = [address(None, "pread"), address(None, "__errno_location"), 0, 0]
        if _steps.DEFLATE in kinds or _steps.GZIP in kinds:
            system[2] = address("deflate", "libdeflate_alloc_decompressor")
            system[3] = address("deflate", "libdeflate_free_decompressor")
        self._system = np.array(system, "i8")

    def buffers(self) -> Array:
        """For one thread."""
        return np.empty((2, self._largest), "u1")

    def read(
        self, fds: Array, offsets: Array, sizes: Array, masks: Array, buffers: Array, out: Array
    ) -> tuple[int, int]:
        """Chunk *i* into ``out[i]`` (uint8); gives how many are done, and how the next one ended.

        0 is all well, a negative number ``-errno``, else one of :data:`WORDS`.
        """
        done, code = read_chunks(
            self._system, self._steps, fds, offsets, sizes, masks, buffers, out
        )
        return int(done), int(code)


def understood(each: Filter) -> None:
    """Raises NotUnderstood: nothing here decodes this filter."""
    _step(each, 2)


def _plain_order(kinds: list[int]) -> bool:
    """Undone: checksums, then a compression, then what only moves bytes."""
    ranks = [0 if k in _steps.CHECKS else 2 if k == _steps.SHUFFLE else 1 for k in kinds]
    return ranks == sorted(ranks)


def _step(each: Filter, itemsize: int) -> tuple[int, int, int]:
    """Kind, address, bytes of an element."""
    if each.id == _BITSHUFFLE:
        options: Sequence[int] = each.options
        if len(options) < 5 or options[4] not in _COMPRESSION:
            raise NotUnderstood(f"bitshuffle with options {options}")
        function = _COMPRESSION[options[4]]
        kind = _steps.BITSHUFFLE_BLOCKS if options[4] else _steps.BITSHUFFLE
        found, width = address("bshuf", function), options[2]
    elif each.id in _SIMPLE:
        kind, plugin, function = _SIMPLE[each.id]  # type: ignore[assignment]
        found = address(plugin, function) if plugin and function else 1
        width = each.options[0] if each.id == _SHUFFLE and each.options else itemsize
    else:
        raise NotUnderstood(f"filter {each.id}")
    if not found:
        raise NotUnderstood(f"filter {each.id}: its decoder is not in the packages that are here")
    return kind, found, width
