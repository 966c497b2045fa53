"""Frames that the index or a decoder refused: read by h5py, under HDF5's lock."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from nearfield.errors import DataFileError
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Shape, Stack

BLOCK = 16 << 20
"""Bytes that are asked of HDF5 at a time."""


def blocks_by_h5py(stack: Stack, start: int, stop: int) -> Iterator[tuple[int, Array]]:
    """As ``reading.blocks``, of ``stack.held``.

    Raises:
        DataFileError: with the file and the frames that cannot be read.
    """
    import hdf5plugin  # noqa: F401 - its filters are known to HDF5 from here on

    begins = 0
    wanted = max(1, BLOCK // max(1, stack.frame_bytes))
    for held in stack.held:
        ends = begins + held.frames
        at, end = max(start, begins), min(stop, ends)
        if at < end:
            try:
                with h5py.File(held.path, "r", locking=False) as file:
                    dataset = file[held.name]
                    outer = dataset.shape[: dataset.ndim - len(stack.frame_shape)]
                    while at < end:
                        n = _run(outer, at - begins, min(wanted, end - at))
                        found = _frames(dataset, outer, at - begins, n)
                        yield at, np.ascontiguousarray(found, stack.dtype).reshape(n, -1)
                        at += n
            except (OSError, RuntimeError, KeyError) as error:
                raise DataFileError(
                    held.path, f"{held.name}: frame {at} or one soon after: {error}"
                ) from error
        begins = ends


def _run(outer: Shape, at: int, most: int) -> int:
    """How many frames from ``at`` lie along the last axis that counts frames."""
    return min(most, outer[-1] - at % outer[-1]) if outer else 1


def _frames(dataset: h5py.Dataset, outer: Shape, at: int, n: int) -> Array:
    if not outer:
        return np.asarray(dataset[()])
    *before, last = (int(i) for i in np.unravel_index(at, outer))
    found: Array = dataset[(*before, slice(last, last + n))]
    return found
