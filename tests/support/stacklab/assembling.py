"""A stack as one array, by loops over frames and chunks: slow, and easy to see through."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearfield.reductions.stack import ABSENT, DAMAGED, Part, Stack, Stored


def assembled(stack: Stack) -> NDArray[np.generic]:
    """All frames, ``(frames, *frame)``. Raises ValueError for a damaged one."""
    whole = np.full(stack.shape, stack.fill, stack.dtype)
    for part in stack.parts:
        _lay(whole, part)
    return whole


def _lay(whole: NDArray[np.generic], part: Part) -> None:
    box = tuple(slice(a, a + n) for a, n in zip(part.at, part.box, strict=True))
    taken = tuple(slice(a, a + n) for a, n in zip(part.of, part.box, strict=True))
    numbers = part.taken(part.start, part.start + part.count)
    for frame, number in enumerate(numbers.tolist(), part.start):
        if number >= 0:
            whole[(frame, *box)] = _frame(part.stored, number)[taken]


def _frame(stored: Stored, number: int) -> NDArray[np.generic]:
    rows, inner = divmod(number, stored.chunk[0])
    padded = tuple(n * c for n, c in zip(stored.grid, stored.chunk[1:], strict=True))
    frame = np.empty(padded, stored.dtype)
    for tile in range(math.prod(stored.grid)):
        corner = np.unravel_index(tile, stored.grid) if stored.grid else ()
        where = tuple(
            slice(int(i) * c, (int(i) + 1) * c)
            for i, c in zip(corner, stored.chunk[1:], strict=True)
        )
        frame[where] = _chunk(stored, rows, tile)[inner]
    return frame[tuple(slice(n) for n in stored.shape[1:])]


def _chunk(stored: Stored, row: int, tile: int) -> NDArray[np.generic]:
    offset = stored.offset[row, tile]
    if offset == ABSENT:
        return np.full(stored.chunk, stored.fill, stored.dtype)
    path = stored.files[stored.file[row, tile]].path
    if offset == DAMAGED:
        raise ValueError(f"{path}: chunk {row}, {tile} has no place")
    with Path(path).open("rb") as file:
        file.seek(int(offset))
        data = file.read(int(stored.size[row, tile]))
    for position in reversed(range(len(stored.filters))):
        if not stored.mask[row, tile] >> position & 1:
            data = _undone(stored.filters[position].id, data, stored.dtype.itemsize)
    return np.frombuffer(data, stored.dtype).reshape(stored.chunk)


def _undone(code: int, data: bytes, itemsize: int) -> bytes:
    if code == 1:
        return zlib.decompress(data)
    if code == 2:
        return np.frombuffer(data, "u1").reshape(itemsize, -1).T.tobytes()
    raise NotImplementedError(f"filter {code}")
