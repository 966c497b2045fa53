"""The kinds of reductions by the keyword under which one asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nearfield.errors import UnknownNameError, UsageError
from nearfield.reductions import regions_asked
from nearfield.reductions.geometry import azimuthal_of
from nearfield.reductions.kernels._protocol import Frames, Reduction
from nearfield.reductions.kernels.counting import Count
from nearfield.reductions.kernels.extrema import Extremum
from nearfield.reductions.kernels.grouped import Grouped, Groups
from nearfield.reductions.kernels.histogram import Histogram
from nearfield.reductions.kernels.moments import Moments
from nearfield.reductions.kernels.regions import Regions
from nearfield.reductions.kernels.sums import Mean, Sum
from nearfield.reductions.kernels.weighted import Weighted

Make = Callable[[Any, Frames], Reduction]


def _roi(value: Any, frames: Frames) -> Regions:
    boxes, alone = regions_asked.boxes(value, frames.dims, frames.shape)
    return Regions.of_masks(boxes, frames.shape, None if alone else "region")


def _masks(value: Any, frames: Frames) -> Reduction:
    masks = regions_asked.masks(value, frames.shape)
    if all(np.isin(mask, (0, 1)).all() for mask in masks.values()):
        return Regions.of_masks(masks, frames.shape, "mask")
    return Weighted.of_masks(masks, frames.shape)


def _ddof(value: Any) -> int:
    return 0 if value is True else int(value["ddof"])


KINDS: Mapping[str, Make] = {
    "sum": lambda value, frames: Sum(),
    "mean": lambda value, frames: Mean(),
    "var": lambda value, frames: Moments("var", _ddof(value)),
    "std": lambda value, frames: Moments("std", _ddof(value)),
    "min": lambda value, frames: Extremum(greatest=False),
    "max": lambda value, frames: Extremum(greatest=True),
    "count": lambda value, frames: Count(),
    "histogram": lambda value, frames: Histogram(np.asarray(value)),
    "azimuthal": lambda value, frames: azimuthal_of(value, frames.shape),
    "roi": _roi,
    "masks": _masks,
}
_SERIES = {"azimuthal", "roi", "masks"}
"""A value for each frame: no groups of frames."""


def reductions_of(
    frames: Frames, asked: Mapping[str, Any], groups: Groups | None = None
) -> dict[str, Reduction]:
    """The reductions that were asked for; ``None`` and ``False`` ask for none.

    Args:
        frames: As the kernels will see them.
        asked: Keyword and value.
        groups: For each of which those over the frames are made.

    Raises:
        UsageError: nothing was asked for, or something that does not fit these frames.
        UnknownNameError: there is no such reduction.
    """
    found: dict[str, Reduction] = {}
    for name, value in asked.items():
        if value is None or value is False:
            continue
        if name not in KINDS:
            raise UnknownNameError("reduction", name, KINDS)
        try:
            made = KINDS[name](value, frames)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{name}={value!r} is not understood: {error}") from error
        if isinstance(made, Regions) and asked.get("count"):
            made = replace(made, counted=True)
        if groups is not None and name not in _SERIES:
            made = Grouped(made, groups)
        made.outputs(name, frames)
        found[name] = made
    if not found:
        raise UsageError("nothing to reduce to", hint="e.g. sum=True, roi=(slice(200, 300), …)")
    return found
