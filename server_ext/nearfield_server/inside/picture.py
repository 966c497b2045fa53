"""A small picture of the array that a plot of the dataset shows first."""

from __future__ import annotations

import h5py
import numpy as np
from PIL import Image, ImageDraw

from nearfield.pictures import EDGE, png, shown
from nearfield_server.inside.files import LookError
from nearfield_server.inside.walk import Walk

MAX_BYTES = 64 * 1024 * 1024
_INK = (31, 86, 140)


def picture_of(walk: Walk, path: str, names: list[str]) -> bytes | None:
    """A PNG of the first of these arrays that can be shown; None where none can.

    Raises:
        LookError: the file cannot be opened, or the values lie where they may not be read.
    """
    for name in names:
        try:
            data = walk.at(path, name)
        except LookError as error:
            if error.kind != "missing":
                raise
            continue
        if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "biuf":
            continue
        walk.check_extent(data)
        if data.size:
            image = _line(walk, data) if _is_line(data.shape) else _frame(walk, data)
            if image is not None:
                return png(image)
    return None


def _is_line(shape: tuple[int, ...]) -> bool:
    return sum(edge > 1 for edge in shape[-2:]) < 2


def _frame(walk: Walk, data: h5py.Dataset) -> Image.Image | None:
    """The middle one of all frames."""
    height, width = data.shape[-2:]
    if height * width * data.dtype.itemsize > MAX_BYTES:
        return None
    lead = [edge // 2 for edge in data.shape[:-2]]
    box = [(i, i) for i in lead] + [(0, height - 1), (0, width - 1)]
    walk.check_values(data, box)
    frame = np.asarray(data[tuple(lead)])
    good = np.isfinite(frame.astype(np.float32))
    if frame.dtype.kind == "u" and frame.dtype.itemsize > 1:  # so detectors mark what has no value
        good &= frame < np.iinfo(frame.dtype).max - 1
    return shown(frame, good)


def _line(walk: Walk, data: h5py.Dataset) -> Image.Image | None:
    """A curve; where there are several, the first."""
    axis = max(range(len(data.shape)), key=lambda n: data.shape[n]) if data.shape else -1
    if axis < 0 or data.shape[axis] < 2:
        return None
    if data.shape[axis] * data.dtype.itemsize > MAX_BYTES:
        return None
    box = [(0, edge - 1) if n == axis else (0, 0) for n, edge in enumerate(data.shape)]
    walk.check_values(data, box)
    parts = tuple(slice(None) if n == axis else 0 for n in range(len(data.shape)))
    values = np.asarray(data[parts]).astype(np.float64)
    good = np.isfinite(values)
    if good.sum() < 2:
        return None
    low, high = values[good].min(), values[good].max()
    image = Image.new("RGB", (EDGE, EDGE // 2), "white")
    room = EDGE // 2 - 9
    # Lowest and highest of each column: a peak of one point must not get lost.
    points: list[tuple[float, float]] = []
    for column in np.array_split(np.arange(len(values)), min(EDGE - 8, len(values))):
        here = values[column][good[column]]
        for value in (here.min(), here.max()) if len(here) else ():
            level = (value - low) / (high - low) if high > low else 0.5
            x = 4 + (EDGE - 9) * column[0] / max(1, len(values) - 1)
            points.append((float(x), 4 + room * (1 - float(level))))
    ImageDraw.Draw(image).line(points, fill=_INK, width=1)
    return image
