"""Which array of a Zarr hierarchy is meant."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from nearfield.errors import DataFileError, UsageError
from nearfield.reductions.index.zarrs.documents import Node, members, read_node

_LIMIT = 1000
"""Nodes that are looked at where nobody names an array."""
_DEEP = 8
_PATTERN = "numbered images in it are a pattern: 'FOLDER/scan_*.tif'"


def find(path: str, name: str | None) -> tuple[Node, str]:
    """The array, and its name below ``path``: empty where that is the array itself.

    Without a name: what the group's ``signal`` or ``default`` says, the first image of OME-Zarr's
    ``multiscales``, or else as of HDF5 files: the one array of three axes or more, or the only one.

    Raises:
        UsageError: there is none, or several.
        DataFileError: ``path`` is nothing of Zarr's, or a document is damaged.
    """
    root = read_node(path)
    if root is None:
        raise DataFileError(path, "it is a folder, and no Zarr array or group", hint=_PATTERN)
    at = os.path.normpath(name.strip("/")) if name and name.strip("/") else ""
    node = read_node(f"{path}/{at}") if at else root
    if node is None or at.startswith(".."):
        words = f"{path!r}: there is no {name!r}"
        raise UsageError(words, hint=_hint(arrays(path)))
    for _ in range(_DEEP):
        if node.is_array:
            return node, at
        said = _said(node.attributes)
        below = said and read_node(f"{path}/{_join(at, said)}")
        if not said or not below:
            break
        node, at = below, _join(at, said)
    return _only(path, at)


def arrays(path: str, at: str = "") -> list[tuple[str, Node]]:
    """All arrays below a group, by name; at most as many as are looked at."""
    found: list[tuple[str, Node]] = []
    waiting, seen = [at], 0
    while waiting and seen < _LIMIT:
        here = waiting.pop(0)
        seen += 1
        folder = f"{path}/{here}" if here else path
        if (node := read_node(folder)) is None:
            continue
        if node.is_array:
            found.append((here, node))
        elif here.count("/") < _DEEP:
            waiting += [_join(here, name) for name in members(folder)]
    return found


def rank_of(node: Node) -> int:
    shape = node.said.get("shape")
    return len(shape) if isinstance(shape, list) else 0


def _only(path: str, at: str) -> tuple[Node, str]:
    every = arrays(path, at)
    stacks = [each for each in every if rank_of(each[1]) >= 3]
    likely = stacks or every
    if len(likely) == 1:
        name, node = likely[0]
        return node, name
    if not likely:
        raise UsageError(f"{path!r}: there is no array in {at or 'it'}")
    words = f"{path!r}: it does not say which of {len(likely)} arrays is meant"
    raise UsageError(words, hint=_hint(likely))


def _hint(found: list[tuple[str, Node]]) -> str:
    largest = sorted(found, key=lambda each: -_values(each[1]))[:20]
    return "name one: " + ", ".join(f"{name} {node.said.get('shape')}" for name, node in largest)


def _values(node: Node) -> int:
    shape = node.said.get("shape")
    whole = isinstance(shape, list) and all(isinstance(n, int) for n in shape)
    return math.prod(shape) if whole and isinstance(shape, list) else 0


def _said(attributes: Mapping[str, Any]) -> str | None:
    """The member that a group's attributes name."""
    for key in ("signal", "default"):
        if isinstance(name := attributes.get(key), str) and name:
            return name.strip("/")
    within = attributes.get("ome")
    images = (within if isinstance(within, dict) else attributes).get("multiscales")
    try:
        name = images[0]["datasets"][0]["path"]  # type: ignore[index]
    except (TypeError, KeyError, IndexError):
        return None
    return name.strip("/") if isinstance(name, str) and name else None


def _join(at: str, name: str) -> str:
    return f"{at}/{name}" if at else name
