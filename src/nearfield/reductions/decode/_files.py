"""Chunks read from files and decoded, many in one call that holds no lock.

The steps (``_steps``) are compiled into it. Numba's cache looks at this file's time alone: after a
change there, ``touch`` this one.
"""

from __future__ import annotations

import numpy as np

from nearfield.reductions.decode._libraries import call, int32_at, jit
from nearfield.reductions.decode._steps import DAMAGED, OK, SHORT, undo

_EINTR, _ENOMEM = 4, 12


@jit()
def read_at(system, fd, at, size, offset):  # type: ignore[no-untyped-def]
    """Bytes of a file to the address ``at``. Gives how many came, or ``-errno``.

    Args:
        system: Addresses of ``pread`` and ``__errno_location``.
    """
    done = np.int64(0)
    while done < size:
        got = call(
            system[0], (np.int64(fd), at + done, np.int64(size) - done, np.int64(offset) + done)
        )
        if got < 0:
            number = int32_at(call(system[1], ()))
            if number == _EINTR:
                continue
            return -number
        if got == 0:
            break
        done += got
    return done


@jit()
def read_chunks(system, steps, fds, offsets, sizes, masks, buffers, out):  # type: ignore[no-untyped-def]
    """Chunk *i* of a file into ``out[i]``; stops at the first that fails.

    Args:
        system: As of :func:`read_at`, then of the functions that give and take back what libdeflate
            needs of memory, or 0.
        steps: As of ``_steps.undo``.
        fds, offsets, sizes, masks: One each.
        buffers: ``(2, n)``, ``n`` at least as large as any chunk, stored or decoded.

    Returns:
        ``(i, code)``: how many are done, and what the next one ended with (OK when all are).
    """
    inflater = np.int64(0)
    if system[2] != 0:
        inflater = call(system[2], ())
        if inflater == 0:
            return np.int64(0), np.int64(-_ENOMEM)
    done, code, plain = np.int64(0), np.int64(OK), steps.shape[0] == 0
    while done < offsets.size:
        size, target = np.int64(sizes[done]), out[done] if plain else buffers[0]
        if plain and size != out.shape[1]:
            code = np.int64(DAMAGED)
            break
        got = read_at(system, fds[done], np.int64(target.ctypes.data), size, offsets[done])
        if got < size:
            code = got if got < 0 else np.int64(SHORT)
            break
        if not plain:
            code = np.int64(
                undo(steps, masks[done], buffers[0], size, out[done], buffers[1], inflater)
            )
            if code != OK:
                break
        done += 1
    if inflater != 0:
        call(system[3], (inflater,))
    return done, code
