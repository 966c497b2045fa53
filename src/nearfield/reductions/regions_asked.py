"""Regions of interest and masks, in the forms in which people write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nearfield.errors import UsageError
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.stack import Shape


def box_mask(box: Any, name: str, dims: tuple[str, ...], shape: Shape) -> Array:
    """A region of interest as a mask.

    Args:
        box: One slice for each dimension of a frame, in order, or by the dimension's name; what is
            not named is whole. An integer is one row. As numpy, negative ones count from the end.
        name: Of the region, for errors.
        dims, shape: Of a frame.

    Raises:
        UsageError: it is not such a thing, or has no pixel in it.
    """
    if isinstance(box, Mapping):
        if unknown := set(box) - set(dims):
            raise UsageError(
                f"region {name!r}: a frame has no dimension {', '.join(sorted(map(str, unknown)))}",
                hint=f"it has {', '.join(dims)}",
            )
        box = tuple(box.get(dim, slice(None)) for dim in dims)
    if isinstance(box, slice | int | np.integer):
        box = (box,)
    if not isinstance(box, tuple | list) or len(box) > len(shape):
        raise UsageError(
            f"region {name!r}: {box!r} is no region of a frame of {shape}",
            hint="give a slice for each dimension, e.g. (slice(200, 300), slice(210, 310))",
        )
    mask = np.zeros(shape, bool)
    try:
        mask[tuple(box)] = True
    except (IndexError, TypeError) as error:
        raise UsageError(f"region {name!r}: {error}") from error
    if not mask.any():
        raise UsageError(
            f"region {name!r} has no pixel in it", hint=f"a frame is {shape}, {', '.join(dims)}"
        )
    return mask


def boxes(asked: Any, dims: tuple[str, ...], shape: Shape) -> tuple[dict[str, Array], bool]:
    """The regions of ``roi=``, and whether it was one alone, without a name."""
    if isinstance(asked, Mapping) and not set(asked) <= set(dims):
        return {str(n): box_mask(box, str(n), dims, shape) for n, box in asked.items()}, False
    return {"roi": box_mask(asked, "roi", dims, shape)}, True


def masks(asked: Any, shape: Shape) -> dict[str, Array]:
    """The masks of ``masks=``: by name, or an array of masks, or one.

    Raises:
        UsageError: one has not the shape of a frame, or a weight is not finite.
    """
    if not isinstance(asked, Mapping):
        each = np.asarray(asked)
        if each.shape == shape:
            each = each[None]
        asked = {str(number): mask for number, mask in enumerate(each)}
    found = {}
    for name, given in asked.items():
        mask = np.asarray(given)
        if mask.dtype.kind in "USO":
            raise UsageError(
                f"mask {str(name)!r} holds no numbers",
                hint="give the array itself, not the name of a file",
            )
        if mask.shape != shape:
            raise UsageError(f"mask {str(name)!r} is {mask.shape}, a frame {shape}")
        if mask.dtype.kind not in "biuf" or not np.isfinite(mask).all():
            raise UsageError(f"mask {str(name)!r} holds what is no finite number")
        found[str(name)] = mask
    return found
