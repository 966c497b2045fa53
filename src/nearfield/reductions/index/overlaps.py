"""Do the mappings of a virtual dataset lie on each other?

What HDF5 gives where they do is undefined (H5Pset_virtual), so h5py shall give it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nearfield.reductions.index.pieces import Numbers, array
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.stack import Shape

OVERLAP = "mappings of a virtual dataset lie on each other"
"""Why such a stack is refused."""
MAX_MARKS = 200_000_000
Laid = tuple[Numbers, Shape, Shape]
"""Frames, and the corner and shape of the box that they get."""


def refuse_overlaps(laid: list[Laid], frames: int, frame: Shape) -> bool:
    """Is every value of every frame laid? Raises NotUnderstood where one is laid twice."""
    if not laid:
        return frames == 0
    boxes: dict[tuple[Shape, Shape], list[Numbers]] = {}
    for numbers, at, box in laid:
        boxes.setdefault((at, box), []).append(numbers)
    if len(boxes) * frames > MAX_MARKS:
        raise NotUnderstood(f"{len(boxes):,} regions in each of {frames:,} frames")
    marks = [_marked(group, frames) for group in boxes.values()]
    low = np.array([at for at, _ in boxes], np.int64).reshape(len(boxes), -1)
    high = low + np.array([box for _, box in boxes], np.int64).reshape(len(boxes), -1)
    for i in range(len(boxes)):
        meet = (low[i + 1 :] < high[i]).all(axis=1) & (high[i + 1 :] > low[i]).all(axis=1)
        for j in np.flatnonzero(meet):
            if bool((marks[i] & marks[i + 1 + int(j)]).any()):
                raise NotUnderstood(OVERLAP)
    area = sum(math.prod(box) for _, box in boxes)
    return area == math.prod(frame) and all(bool(mark.all()) for mark in marks)


def _marked(group: list[Numbers], frames: int) -> NDArray[np.bool_]:
    mark = np.zeros(frames, bool)
    for numbers in group:
        where = slice_of(numbers) if isinstance(numbers, range) else array(numbers)
        if bool(mark[where].any()):
            raise NotUnderstood(OVERLAP)
        mark[where] = True
    return mark


def slice_of(numbers: range) -> slice:
    """The same elements, in rising order."""
    if numbers.step < 0:
        numbers = numbers[::-1]
    return slice(numbers.start, numbers.stop, numbers.step)
