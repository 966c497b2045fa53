"""Frames as the zarr library reads them: for arrays whose codecs nobody here knows.

Only the array's documents are compared with what was indexed: which files the library reads is not
known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nearfield.errors import DataFileError
from nearfield.reductions.index.files import file_id, unchanged
from nearfield.reductions.index.zarrs.by_library import opened
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.open_files import REPLACED
from nearfield.reductions.stack import Shape, Stack
from nearfield.reductions.unreadable import FileChanged, Noted, without


def blocks(
    stack: Stack, start: int, stop: int, noted: Noted, block: int, held: int
) -> Iterator[tuple[int, Array]]:
    """As ``by_h5py.blocks``, of an array of Zarr. Raises BlockedError without the library."""
    if (changed := _changed(stack)) is not None:
        noted.add(start, stop, changed, REPLACED)
        return
    path = stack.held[0].path
    try:
        array = opened(path)
    except DataFileError as error:
        noted.add(start, stop, path, error.reason)
        return
    cut = array.ndim - len(stack.frame_shape)
    corner = stack.corner or (0,) * len(stack.frame_shape)
    box = tuple(slice(c, c + n) for c, n in zip(corner, stack.frame_shape, strict=True))
    chunk = int(array.chunks[cut - 1]) if cut else 1
    size = min(max(block // chunk * chunk, chunk), max(block, held))
    window = np.empty((min(size, stop - start), *stack.frame_shape), stack.dtype)
    at = start
    while at < stop:
        end = min(stop, (at + stack.skipped) // size * size + size - stack.skipped)
        here = window[: end - at]
        holes = []
        for low, high, words in _failures(array, cut, box, at + stack.skipped, here):
            noted.add(at + low, at + high, path, words)
            holes.append((low, high))
        flat = here.reshape(len(here), -1)
        for low, high in without(0, len(here), holes):
            for i in range(low, high, block):
                yield at + i, flat[i : min(i + block, high)]
        at = end
    if (changed := _changed(stack)) is not None:
        raise FileChanged(changed, f"frames {start} to {stop - 1}: {REPLACED}")


def _failures(
    array: Any, cut: int, box: tuple[slice, ...], first: int, out: Array
) -> list[tuple[int, int, str]]:
    """Reads frames, one by one where they cannot be read together; tells which cannot."""
    outer = tuple(int(n) for n in array.shape[:cut])
    try:
        _read(array, outer, box, first, out)
    except Exception:  # the library raises a dozen kinds on what is damaged
        found = []
        for i in range(len(out)):
            try:
                _read(array, outer, box, first + i, out[i : i + 1])
            except Exception as error:
                found.append((i, i + 1, f"the zarr library cannot read it: {error}"[:300]))
        return found
    return []


def _read(array: Any, outer: Shape, box: tuple[slice, ...], frame: int, out: Array) -> None:
    """The array's frames from ``frame`` on: runs along the last axis that counts them."""
    done = 0
    while done < len(out):
        key: tuple[Any, ...] = box
        n = 1
        if outer:
            *prefix, last = (int(i) for i in np.unravel_index(frame + done, outer))
            n = min(outer[-1] - last, len(out) - done)
            key = (*prefix, slice(last, last + n), *box)
        out[done : done + n] = np.asarray(array[key]).reshape(n, *out.shape[1:])
        done += n


def _changed(stack: Stack) -> str | None:
    for file in stack.files:
        try:
            if not unchanged(file_id(file.path), file):
                return file.path
        except OSError:
            return file.path
    return None
