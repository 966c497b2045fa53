"""CXI files of coherent X-ray imaging (https://www.cxidb.org/cxi.html): classes by name.

``entry_1/sample_1/name`` has no ``NX_class``: what a group is, its name says.
"""

from __future__ import annotations

import re
from typing import Any

from nearfield.catalogue.metadata.model import FileMetadata
from nearfield.catalogue.metadata.values import joined, number_of, text_of, time_of, title_from
from nearfield.catalogue.metadata.walk import (
    READ_ERRORS,
    Group,
    Walk,
    attribute,
    child,
    identity,
    scalar,
    text,
)

# The standard's own units: everything is in SI.
_QUANTITIES = {
    "source": {"energy": "J"},
    "detector": {"distance": "m", "x_pixel_size": "m", "y_pixel_size": "m"},
    "sample": {"temperature": "K", "thickness": "m"},
}


def is_cxi(found: Walk) -> bool:
    """Does the root have the ``cxi_version`` that the standard requires?"""
    return number_of(scalar(found.root, "cxi_version", limit=1)) is not None


def read_cxi(found: Walk) -> FileMetadata:
    """All entries; where they differ, their distinct values joined by ``"; "``."""
    entries = [group for group in found.groups if re.fullmatch(r"/entry_\d+", group.path)]
    title, warnings = title_from(text(e.handle, "title", 10_000) for e in entries)
    times: dict[str, Any] = {}
    for name in ("start_time", "end_time"):
        said = [word for e in entries if (word := text(e.handle, name))]
        read = [time for word in said if (time := time_of(word)) is not None]
        times[name] = read[0] if read else None
        if said and not read:
            warnings.append(f"{name} {said[0][:100]!r} is not a time that can be understood")
    return FileMetadata(
        format="CXI",
        title=title,
        description=joined((text(e.handle, "experiment_description") for e in entries), limit=2000),
        instrument=joined(text(g.handle, "name") for g in _named(found, "instrument")),
        facility=joined(text(g.handle, "name") for g in _named(found, "source")),
        sample=joined(text(g.handle, "name") for g in _named(found, "sample")),
        proposal=joined(text(e.handle, "experiment_identifier") for e in entries),
        start_time=times["start_time"],
        end_time=times["end_time"],
        arrays=_arrays(found),
        scientific=_scientific(found),
        links=tuple(found.links),
        warnings=(*warnings, *found.warnings),
        problems=tuple(found.problems),
    )


def _named(found: Walk, kind: str) -> list[Group]:
    return [g for g in found.groups if re.fullmatch(rf"{kind}_\d+", g.path.rpartition("/")[2])]


def _arrays(found: Walk) -> tuple[Any, ...]:
    """``data_1/data`` first, else an image's."""
    arrays = dict(found.arrays)
    for group in (*_named(found, "data"), *_named(found, "image"), *_named(found, "detector")):
        handle = child(group.handle, "data")
        try:
            key = None if handle is None else identity(handle)
        except READ_ERRORS:
            continue
        if key in arrays:
            path = f"{group.path}/data"
            first = arrays.pop(key).model_copy(update={"signal": True, "path": path})
            return (first, *arrays.values())
    return tuple(arrays.values())


def _scientific(found: Walk) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for kind, quantities in _QUANTITIES.items():
        for group in _named(found, kind):
            for name, unit in quantities.items():
                value = number_of(scalar(group.handle, name, limit=1))
                if value is not None:
                    own = text_of(attribute(child(group.handle, name), "units"))
                    said[f"{group.path}/{name}".lstrip("/")] = {
                        "value": value,
                        "unit": own or unit,
                    }
    return said
