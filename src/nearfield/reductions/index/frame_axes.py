"""How many axes of a dataset make a frame, where nobody says it: as NeXus marks it.

Sources: https://manual.nexusformat.org/design.html (``interpretation``), datarules.html (``axes``)
and the base classes NXdata and NXdetector.
"""

from __future__ import annotations

import math
from typing import Any

import h5py
from h5py import h5d

from nearfield.catalogue.metadata.axes import axes_of
from nearfield.catalogue.metadata.values import text_of
from nearfield.catalogue.metadata.walk import Group, attribute
from nearfield.errors import DataFileError, UsageError
from nearfield.querying.units import converted
from nearfield.reductions.index import links
from nearfield.reductions.index.refusing import Absent, NotUnderstood
from nearfield.reductions.index.sources import READ_ERRORS, Opened, Sources
from nearfield.reductions.stack import Shape

INTERPRETED = {"scalar": 0, "scaler": 0, "spectrum": 1, "vertex": 1, "image": 2, "rgb-image": 3}
_PIXELS = {"pixel", "pixels", "px"}


def frame_axes(sources: Sources, root: Opened, name: str, dataset: Any) -> int:
    """The number of axes, the last ones, of a frame of ``dataset`` (h5py's DatasetID).

    ``interpretation`` of the dataset says it, or that of the group in which it was named. Else it
    is 2; an array of two axes is one image if it is

    - in an NXdata that names no axes, or two that both are lengths, both reciprocal lengths or both
      pixels, or
    - in an NXdetector whose pixels have a size in x and in y,

    and else a run of spectra: that is how lines over time, angle or energy are written.

    Args:
        name: Of the dataset in the file ``root``, or of the group whose signal it is.
    """
    rank = len(dataset.shape)
    said = _said(h5py.Dataset(dataset))
    if said is not None:
        return min(said, rank)
    found = _around(sources, root, name)
    if found is None:
        return min(2, rank - 1)
    group, signal = found
    said = _said(group)
    if said is not None:
        return min(said, rank)
    return 2 if rank == 2 and _is_image(group, signal) else min(2, rank - 1)


def checked(shape: Shape, wanted: int, path: str, name: str) -> int:
    """``wanted``. Raises UsageError where an array of that shape has no such frames."""
    if not 0 <= wanted <= len(shape):
        raise UsageError(f"{path!r}: {name} has {len(shape)} axes, no frames of {wanted}")
    if math.prod(shape[len(shape) - wanted :]) == 0:
        raise UsageError(f"{path!r}: {name} has frames without a pixel, {shape}")
    return wanted


def _said(handle: Any) -> int | None:
    return INTERPRETED.get(text_of(attribute(handle, "interpretation")) or "")


def _around(sources: Sources, root: Opened, name: str) -> tuple[h5py.Group, str] | None:
    """The group in which the dataset was named, and its name there."""
    try:
        _, here = links.locate(sources, root, name)
        if not isinstance(here, h5d.DatasetID):
            group = h5py.Group(here)
            return group, text_of(attribute(group, "signal")) or "data"
        above, _, last = name.rstrip("/").rpartition("/")
        return h5py.Group(links.locate(sources, root, above or "/")[1]), last
    except (Absent, NotUnderstood, DataFileError, *READ_ERRORS):
        return None


def _is_image(group: h5py.Group, signal: str) -> bool:
    kind = text_of(attribute(group, "NX_class"))
    if kind == "NXdetector":
        return "x_pixel_size" in group and "y_pixel_size" in group
    if kind != "NXdata":
        return False
    axes = axes_of(Group("", group, kind), signal, 2)
    if not axes:
        return True
    kinds = {None if axis is None else _kind(axis.units) for axis in axes}
    return len(kinds) == 1 and None not in kinds


def _kind(units: str | None) -> str | None:
    if units is not None and units.lower() in _PIXELS:
        return "pixel"
    return next((to for to in ("m", "1/m") if converted(1.0, units, to) is not None), None)
