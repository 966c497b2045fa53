"""The limit of any reduction: a stack is decoded from memory, and nothing is done with it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nearfield.reductions.decode import _steps
from nearfield.reductions.decode._libraries import call, jit
from nearfield.reductions.decode.pipeline import Decoder
from nearfield.reductions.stack import Stack

THREADS = 2


@jit()
def _decoded(system, steps, data, at, buffers):  # type: ignore[no-untyped-def]
    inflater = call(system[2], ()) if system[2] != 0 else np.int64(0)
    out, spare, done = buffers[0], buffers[1:], np.int64(0)
    for i in range(at.size - 1):
        size = np.int64(at[i + 1] - at[i])
        spare[0, :size] = data[at[i] : at[i + 1]]
        if _steps.undo(steps, np.int64(0), spare[0], size, out, spare[1], inflater) != _steps.OK:
            break
        done += 1
    if inflater != 0:
        call(system[3], (inflater,))
    return done


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
        if not stored.filters:
            out = np.empty(stored.chunk_bytes, "u1")
            for n in range(first, end):
                np.copyto(out, data[at[n] : at[n + 1]])
            return
        buffers = np.empty((3, stored.chunk_bytes), "u1")  # no chunk is larger than its frame
        done = _decoded(decoder._system, decoder._steps, data, at[first : end + 1], buffers)
        assert done == end - first

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, range(threads)))

    return run
