"""CRC-32C, the checksum of Zarr: eight bytes a step (RFC 3720, appendix B.4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nearfield.reductions.decode._libraries import jit


def _table() -> Any:
    """Of eight bytes at once: row *i* is what a byte becomes with *i* zero bytes behind it."""
    made = np.zeros((8, 256), np.uint32)
    one = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        one = np.where(one & 1, one >> 1 ^ np.uint32(0x82F63B78), one >> 1)
    made[0] = one
    for i in range(1, 8):
        made[i] = made[0][made[i - 1] & 0xFF] ^ made[i - 1] >> 8
    return made


_TABLE = _table()


@jit()
def crc32c(data, size):  # type: ignore[no-untyped-def]
    """CRC-32C of ``data[:size]``."""
    table = _TABLE
    crc = np.uint32(0xFFFFFFFF)
    whole = size // 8 * 8
    for at in range(0, whole, 8):
        crc = (
            table[7, data[at] ^ (crc & np.uint32(255))]
            ^ table[6, data[at + 1] ^ (crc >> np.uint32(8) & np.uint32(255))]
            ^ table[5, data[at + 2] ^ (crc >> np.uint32(16) & np.uint32(255))]
            ^ table[4, data[at + 3] ^ crc >> np.uint32(24)]
            ^ table[3, data[at + 4]]
            ^ table[2, data[at + 5]]
            ^ table[1, data[at + 6]]
            ^ table[0, data[at + 7]]
        )
    for at in range(whole, size):
        crc = table[0, (data[at] ^ crc) & np.uint32(255)] ^ crc >> np.uint32(8)
    return np.int64(crc ^ np.uint32(0xFFFFFFFF))
