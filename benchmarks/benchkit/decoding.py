"""The limit of any reduction: a stack is decoded from memory, and nothing is done with it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np

from nearfield.reductions.decode import _steps
from nearfield.reductions.decode._libraries import jit
from nearfield.reductions.decode.pipeline import Decoder
from nearfield.reductions.stack import Stack

THREADS = 2


@jit()
def _decoded(steps, data, at, out, spare):  # type: ignore[no-untyped-def]
    for i in range(at.size - 1):
        size = np.int64(at[i + 1] - at[i])
        spare[0, :size] = data[at[i] : at[i + 1]]
        if _steps.undo(steps, np.int64(0), spare[0], size, out, spare[1]) != _steps.OK:
            return i
    return at.size - 1


def limit(stack: Stack, threads: int = THREADS) -> Callable[[], None]:
    """Our own decoder over chunks that are in memory; memcpy without filters."""
    stored = stack.parts[0].stored
    offset, size = stored.offset[:, 0].astype("i8"), stored.size[:, 0].astype("i8")
    at = np.concatenate([[0], np.cumsum(size)])
    data = np.empty(at[-1], "u1")
    with Path(stored.files[0].path).open("rb") as file:
        for n in range(len(offset)):
            file.seek(offset[n])
            file.readinto(data[at[n] : at[n + 1]])  # type: ignore[arg-type]
    decoder = Decoder(stored)
    bounds = np.linspace(0, len(offset), threads + 1).astype(int)

    def part(which: int) -> None:
        first, end = bounds[which], bounds[which + 1]
        out, spare = np.empty(stored.chunk_bytes, "u1"), decoder.buffers()
        if not stored.filters:
            for n in range(first, end):
                np.copyto(out, data[at[n] : at[n + 1]])
        elif decoder._deflate is not None:
            for n in range(first, end):
                imagecodecs.deflate_decode(data[at[n] : at[n + 1]], out=spare[0].data)
                _steps._unshuffle(spare[0][: len(out)], out, stored.dtype.itemsize)
        else:
            done = _decoded(decoder._steps, data, at[first : end + 1], out, spare)
            assert done == end - first

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, range(threads)))

    return run
