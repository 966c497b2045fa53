"""Numbers that stand for others: ``scale_factor``, ``add_offset`` and ``_FillValue`` of netCDF.

Source: https://cfconventions.org/cf-conventions/cf-conventions.html, "Packed Data"; xarray writes
them to netCDF and Zarr. Frames are reduced as they are stored, which has to be told; coordinates
are small and become what they stand for.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from nearfield.reductions.kernels._protocol import Array

PACKED = ("scale_factor", "add_offset")
_NEUTRAL = {"scale_factor": 1, "add_offset": 0}
_FILL = "_FillValue"


class PackedValuesWarning(UserWarning):
    """The frames hold numbers that stand for others, and are reduced as they are stored."""


def packing(attributes: Mapping[str, Any]) -> dict[str, int | float]:
    """What of an array's attributes makes its values others than those that are stored."""
    found = {}
    for name in (*PACKED, _FILL):
        value: Any = np.asarray(attributes.get(name, ""))
        if value.size == 1 and value.dtype.kind in "iuf":
            number = value.reshape(-1)[0].item()
            if number == number and number != _NEUTRAL.get(name):
                found[name] = number
    return found


def unpacked(values: Array, attributes: Mapping[str, Any]) -> Array:
    """float64 where anything is to be done: NaN for the fill value, ``stored * scale + offset``."""
    said = packing(attributes)
    if not said or values.dtype.kind not in "iuf":
        return values
    if not any(name in said for name in PACKED) and (values != said[_FILL]).all():
        return values
    made = values.astype("f8") * said.get("scale_factor", 1.0) + said.get("add_offset", 0.0)
    return np.where(values == said[_FILL], np.nan, made) if _FILL in said else made


def tell(attributes: Mapping[str, Any], dtype: np.dtype[np.generic], *, marked: bool) -> None:
    """Warn of frames that are packed.

    Args:
        dtype: Of the frames.
        marked: The caller has said which numbers stand for no value (``invalid=``).
    """
    said = packing(attributes)
    if marked or dtype.kind not in "iu":
        said.pop(_FILL, None)
    if not said:
        return
    words = ", ".join(f"{name}={value:g}" for name, value in said.items())
    hint = f"; invalid={said[_FILL]} leaves that value out" if _FILL in said else ""
    warnings.warn(
        f"the array is packed ({words}), and its values are reduced as they are stored{hint}",
        PackedValuesWarning,
        stacklevel=4,
    )
