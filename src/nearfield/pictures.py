"""How a small picture of data looks, wherever it is made: the same colours and contrast."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from PIL import Image

EDGE = 256
"""Pixels of the longer side."""
LIMITS = (1, 99.5)
"""Percentiles of the values that are shown as darkest and brightest."""
# From dark to light, even to the eye and to those who see no red or green.
_COLOURS = (
    (13, 8, 60),
    (59, 40, 120),
    (44, 100, 142),
    (33, 145, 140),
    (94, 201, 98),
    (253, 231, 37),
)


def shown(values: Any, good: Any, edge: int = EDGE) -> Image.Image:
    """A picture of numbers ``(y, x)``, ``edge`` pixels long; dark where it is not ``good``."""
    image = Image.fromarray(_shades(values, good))
    height, width = values.shape
    scale = edge / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    image = image.resize(size, how)
    image.putpalette(_palette())
    return image


def _shades(values: Any, good: Any) -> Any:
    """0 to 255, by the logarithm where most is dark."""
    values = values.astype(np.float32)
    if not good.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(values[good], LIMITS)
    middle = np.median(values[good])
    values = np.clip(values - low, 0, max(high - low, 0))
    if high - low > 30 * max(middle - low, (high - low) / 1e6):
        values = np.log1p(values)
    values[~good] = 0
    top = values.max()
    return (values * (255 / top if top > 0 else 0)).astype(np.uint8)


def _palette() -> list[int]:
    found: list[int] = []
    for shade in range(256):
        place = shade / 255 * (len(_COLOURS) - 1)
        left = min(math.floor(place), len(_COLOURS) - 2)
        a, b, part = _COLOURS[left], _COLOURS[left + 1], place - left
        found += [round(x + (y - x) * part) for x, y in zip(a, b, strict=True)]
    return found


def png(image: Image.Image) -> bytes:
    """The picture as a PNG file."""
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
