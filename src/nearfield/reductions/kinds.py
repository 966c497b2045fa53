"""The kinds of reductions by the keyword under which one asks for them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nearfield.errors import UnknownNameError, UsageError
from nearfield.reductions import blocks_asked, regions_asked
from nearfield.reductions.geometry import azimuthal_of
from nearfield.reductions.kernels._protocol import Frames, Reduction
from nearfield.reductions.kernels.counting import Count
from nearfield.reductions.kernels.extrema import Extremum
from nearfield.reductions.kernels.grouped import FRAMES_READ, Grouped, Groups
from nearfield.reductions.kernels.histogram import Histogram
from nearfield.reductions.kernels.moments import Moments
from nearfield.reductions.kernels.rebinning import Rebin
from nearfield.reductions.kernels.regions import Regions
from nearfield.reductions.kernels.sums import Mean, Sum
from nearfield.reductions.kernels.thumbnail import Thumbnail
from nearfield.reductions.kernels.user_defined import PerFrame
from nearfield.reductions.kernels.weighted import Weighted
from nearfield.reductions.user_reductions import asked_for, reduction_of

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
    return 0 if value is True else operator.index(value["ddof"])


def _rebin(value: Any, frames: Frames) -> Rebin:
    steps, mean = blocks_asked.steps_of(value, frames)
    return Rebin(frames.shape, steps[0], steps[1:], mean)


def _thumbnail(value: Any, frames: Frames) -> Thumbnail:
    edge = EDGE if value is True else value
    if not isinstance(edge, int | np.integer) or not 1 <= edge <= 4096:
        raise UsageError(f"thumbnail={value!r}: its longer side is of 1 to 4096 pixels")
    return Thumbnail(int(edge))


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
    "rebin": _rebin,
    "thumbnail": _thumbnail,
}
EDGE = 256
"""Pixels of the longer side of a thumbnail."""
USER = "user"
"""The keyword of reductions that a person wrote."""
_YES = {"sum", "mean", "min", "max", "count"}
"""A person who gives more (an axis, say) means something else."""
_SERIES = {"azimuthal", "roi", "masks", "rebin"}
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
        if name == USER or not _wanted(name, value):
            continue
        try:
            made = KINDS[name](value, frames)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{name}={value!r} is not understood: {error}") from error
        if isinstance(made, Regions | Rebin) and asked.get("count"):
            made = replace(made, counted=True)
        found[name] = made
    for name, user in asked_for(asked.get(USER)).items():
        if name in KINDS or name == USER:
            raise UsageError(f"user={{{name!r}: …}}: {name} is a reduction of its own")
        found[name] = reduction_of(name, user, frames)
    for name, made in found.items():
        if groups is not None and name not in _SERIES and not isinstance(made, PerFrame):
            found[name] = Grouped(made, groups)
        found[name].outputs(name, frames)
    if not found:
        raise UsageError("nothing to reduce to", hint="e.g. sum=True, roi=(slice(200, 300), …)")
    if groups is not None and groups.dim in made_by(found, frames, without=groups):
        raise UsageError(
            f"by: {groups.dim!r} is the name of something else in the result",
            hint="by={'another name': values}",
        )
    return found


def _wanted(name: str, value: Any) -> bool:
    if value is None or (isinstance(value, bool | np.bool_) and not value):
        return False
    if name not in KINDS:
        raise UnknownNameError("reduction", name, KINDS)
    if name in _YES and not isinstance(value, bool | np.bool_):
        raise UsageError(
            f"{name}={value!r}: it is True or False",
            hint="it goes over the frames: frames= takes some of them, by= groups them",
        )
    return True


def made_by(
    reductions: Mapping[str, Reduction], frames: Frames, without: Groups | None = None
) -> set[str]:
    """The names of all that is in a result but the frames' own axes: variables, coordinates and
    dimensions; without those of groups, if these are given."""
    own = tuple(f"\0{number}" for number in range(len(frames.dims)))
    bare = replace(frames, frame_dim="\0", dims=own)
    found = set() if without is None else {FRAMES_READ}
    for name, made in reductions.items():
        one = made.each if without is not None and isinstance(made, Grouped) else made
        for label, output in one.outputs(name, bare).items():
            found |= {label, *output.dims, *output.coords}
    return {name for name in found if not name.startswith("\0")}
