"""Groups, arrays and attributes, so deep and so many."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from h5py import h5a

from nearfield_server.inside.files import LookError
from nearfield_server.inside.values import plain
from nearfield_server.inside.walk import Walk, beside, link_of

MAX_CHILDREN = 200
MAX_NODES = 2000
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_BYTES = 4096


class Tree:
    """One look at the structure of a file."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._room = MAX_NODES

    def node(self, found: Any, name: str, depth: int) -> dict[str, Any]:
        """What ``found`` is, and what is in it down to ``depth``."""
        self._room -= 1
        said: dict[str, Any] = {"name": name, "kind": "group"}
        attributes, left = attributes_of(found)
        said["attributes"] = attributes
        said["more"] = left
        if isinstance(found, h5py.Dataset):
            self._walk.check_extent(found)
            said |= {"kind": "dataset", "shape": _shape(found), "dtype": str(found.dtype)}
        elif isinstance(found, h5py.Datatype):
            said |= {"kind": "type", "dtype": str(found.dtype)}
        elif depth > 0:
            names = _names(found, min(MAX_CHILDREN, max(0, self._room)))
            said["children"] = [self._child(found, one, depth - 1) for one in names]
            said["more"] += len(found.id) - len(names) if hasattr(found.id, "__len__") else 0
        return said

    def _child(self, group: h5py.Group, name: str, depth: int) -> dict[str, Any]:
        target = None
        try:
            where = link_of(group, name)
            if where is None:
                return self.node(group[name], name, depth)
            file, inside = where
            target = inside if file is None else f"{file}:{inside}"
            path = group.file.filename
            # Below a link one level is enough: links may go in circles.
            found = self._walk.at(path if file is None else beside(path, file), inside)
            return self.node(found, name, 0) | {"target": target}
        except (LookError, OSError, KeyError, RuntimeError) as error:
            self._room -= 1
            why = error.message if isinstance(error, LookError) else "cannot be read"
            return {"name": name, "kind": "link", "target": target, "problem": why}


def _shape(data: h5py.Dataset) -> list[int]:
    return [] if data.shape is None else [int(edge) for edge in data.shape]


def _names(group: h5py.Group, most: int) -> list[str]:
    found: list[str] = []

    def take(name: bytes) -> bool | None:
        if len(found) >= most:
            return True
        found.append(name.decode("utf-8", "replace"))
        return None

    if most > 0:
        group.id.links.iterate(take)
    return found


def attributes_of(found: Any) -> tuple[dict[str, Any], int]:
    """The first of an object's attributes, those that are short; and how many are left out."""
    total = h5a.get_num_attrs(found.id)
    said: dict[str, Any] = {}
    for number in range(min(total, MAX_ATTRIBUTES)):
        attribute = h5a.open(found.id, index=number)
        name = attribute.name.decode("utf-8", "replace")
        size = int(np.prod(attribute.shape or (1,))) * attribute.dtype.itemsize
        if size > MAX_ATTRIBUTE_BYTES:
            said[name] = f"({size} bytes)"
            continue
        try:
            said[name] = plain(found.attrs[name])
        except (LookError, OSError, KeyError, TypeError, ValueError):
            said[name] = "(cannot be shown)"
    return said, total - len(said)
