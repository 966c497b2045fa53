"""openPMD files (https://github.com/openPMD/openPMD-standard, 1.x and 2.0)."""

from __future__ import annotations

from typing import Any

from nearfield.catalogue.metadata.mesh import describe_mesh
from nearfield.catalogue.metadata.model import FileMetadata, Series
from nearfield.catalogue.metadata.values import number_of, text_of, time_of, unique
from nearfield.catalogue.metadata.walk import Walk, attribute
from nearfield.techniques import technique_ids

# Bits of openPMDextension.
_EXTENSIONS = {1: "ED-PIC"}


def is_openpmd(found: Walk) -> bool:
    """The root attribute ``openPMD`` is the one that the standard requires."""
    return attribute(found.root, "openPMD") is not None


def read_openpmd(found: Walk) -> FileMetadata:
    """Root attributes and records. The standard has no title: it stays ``None``.

    ``date`` ("when the data was created") becomes the start time.
    """
    root = found.root
    date = text_of(attribute(root, "date"))
    start = time_of(date)
    warnings = list(found.warnings)
    if date and start is None:
        warnings.append(f"date {date!r} is not a time that can be understood")
    extension = number_of(attribute(root, "openPMDextension")) or 0
    extensions = [name for bit, name in _EXTENSIONS.items() if int(extension) & bit]
    series = None
    if text_of(attribute(root, "iterationEncoding")) == "fileBased":
        pattern = text_of(attribute(root, "iterationFormat"))
        series = Series(pattern=pattern) if pattern and "%" in pattern else None
    return FileMetadata(
        format="openPMD",
        title=text_of(attribute(root, "title")),
        description=text_of(attribute(root, "comment")),
        techniques=("openPMD", *extensions),
        technique_ids=technique_ids(extensions),
        start_time=start,
        keywords=tuple(_records(found)),
        arrays=_arrays(found),
        scientific=_scientific(root),
        links=tuple(found.links),
        series=series,
        warnings=tuple(warnings),
        problems=tuple(found.problems),
    )


def _records(found: Walk) -> list[str]:
    """Names of the mesh and particle groups: ``E``, ``B``, ``electrons``."""
    folders = {
        text.strip("/").split("/")[-1]
        for name in ("meshesPath", "particlesPath")
        if (text := text_of(attribute(found.root, name)))
    }
    names = []
    for group in found.groups:
        above, _, name = group.path.rpartition("/")
        if above.rpartition("/")[2] in folders:
            names.append(name)
    return unique(names)[:50]


def _arrays(found: Walk) -> tuple[Any, ...]:
    """All arrays; the first of a mesh, else the first at all, is what a plot shows."""
    arrays = list(found.arrays.values())
    if not arrays:
        return ()
    meshes = (text_of(attribute(found.root, "meshesPath")) or "").strip("/")
    first = next((a for a in arrays if meshes and f"/{meshes}/" in a.path), arrays[0])
    about = describe_mesh(found, first)
    return tuple(
        a.model_copy(update={"signal": True, **about} if a is first else {"signal": False})
        for a in arrays
    )


def _scientific(root: Any) -> dict[str, Any]:
    names = ("openPMD", "author", "software", "softwareVersion", "iterationEncoding", "machine")
    return {name: text for name in names if (text := text_of(attribute(root, name)))}
