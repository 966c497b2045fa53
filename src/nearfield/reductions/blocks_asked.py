"""Blocks of pixels and frames, in the forms in which people write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.kernels._protocol import Frames

MEAN = "mean"
_HINT = 'e.g. rebin=2, rebin=(2, 4), rebin={"y": 2, "x": 4, "frame": 10, "mean": True}'


def steps_of(asked: Any, frames: Frames) -> tuple[tuple[int, ...], bool]:
    """How many frames, and pixels along each axis, make a block; and whether the mean is meant.

    Args:
        asked: A number, for each axis of a frame; one for each of these, or before them one for the
            frames; or by the dimensions' names, where what is not named stays as it is.

    Raises:
        UsageError: it is none of these.
    """
    dims = (frames.frame_dim, *frames.dims)
    mean = False
    if isinstance(asked, Mapping):
        mean = asked.get(MEAN, False) is True and MEAN not in dims
        given = {name: n for name, n in asked.items() if not (mean and name == MEAN)}
        if unknown := set(given) - set(dims):
            told = ", ".join(sorted(map(str, unknown)))
            raise UsageError(f"rebin: there is no dimension {told}", hint=f"it has {dims}")
        steps = [given.get(dim, 1) for dim in dims]
    elif isinstance(asked, int | np.integer):
        steps = [1, *[asked] * len(frames.dims)]
    else:
        steps = list(asked)
        if len(steps) == len(frames.dims):
            steps = [1, *steps]
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in steps)
    if len(steps) != len(dims) or not whole or min(steps) < 1:
        raise UsageError(f"rebin={asked!r} does not tell the blocks of {dims}", hint=_HINT)
    return tuple(int(n) for n in steps), mean
