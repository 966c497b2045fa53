"""What an EIGER master file has besides plain NeXus.

Its frames are in other files, linked as ``/entry/data/data_000001`` and on, and no attribute
says which array is the one to look at.
"""

from __future__ import annotations

import re
from typing import Any

from nearfield.catalogue.metadata.values import number_of, text_of
from nearfield.catalogue.metadata.walk import READ_ERRORS, Group, Walk, attribute, child, scalar
from nearfield.hdf5_sources import values_elsewhere

_FRAMES = re.compile(r"/[^/]+/data/data_\d{6}")
_DETECTOR = (
    "detector_distance", "count_time", "frame_time", "sensor_thickness", "x_pixel_size",
    "y_pixel_size", "beam_center_x", "beam_center_y", "description", "detector_number",
)  # fmt: skip
_SPECIFIC = ("photon_energy", "threshold_energy", "nimages", "ntrigger")
_AXES = ("omega", "chi", "phi", "kappa", "two_theta")


def first_frames(found: Walk) -> str | None:
    """Where the first file of frames is linked; ``None`` in any other file."""
    links = [link.at for link in found.links if _FRAMES.fullmatch(link.at)]
    return min(links, default=None)


def facts(found: Walk) -> dict[str, Any]:
    """The detector's settings, the number of frames, and where each angle begins and its step."""
    if first_frames(found) is None:
        return {}
    said: dict[str, Any] = {}
    for group in found.groups:
        name = group.path.rpartition("/")[2]
        if group.nx_class == "NXdetector":
            _take(said, group, _DETECTOR)
        elif name == "detectorSpecific":
            _take(said, group, _SPECIFIC)
            counts = [number_of(scalar(group.handle, n, limit=1)) for n in ("nimages", "ntrigger")]
            if counts[0] is not None:
                said["frames"] = int(counts[0] * (counts[1] or 1))
        elif name == "goniometer":
            for axis in _AXES:
                _angle(said, group, axis)
    return said


def _take(said: dict[str, Any], group: Group, names: tuple[str, ...]) -> None:
    for name in names:
        value = scalar(group.handle, name, limit=1)
        number = number_of(value) if value is not None else None
        shown: Any = number if number is not None else text_of(value)
        if shown is None:
            continue
        field = child(group.handle, name)
        unit = text_of(attribute(field, "units")) if number is not None else None
        said[f"{group.path}/{name}".lstrip("/")] = {"value": shown, "unit": unit} if unit else shown


def _angle(said: dict[str, Any], group: Group, name: str) -> None:
    """One value a frame: the first says where it begins, the second the step."""
    import h5py

    field = child(group.handle, name)
    try:
        if not isinstance(field, h5py.Dataset) or values_elsewhere(field.id):
            return
        size = int(field.size or 0)
        ends = [float(value) for value in field[:2].ravel()] if size and field.shape else []
    except READ_ERRORS:
        return
    if not ends:
        return
    unit = text_of(attribute(field, "units")) or "degree"
    path = f"{group.path}/{name}".lstrip("/")
    said[path] = {"value": ends[0], "unit": unit}
    if len(ends) > 1:
        said[f"{path}_step"] = {"value": round(ends[1] - ends[0], 9), "unit": unit}
