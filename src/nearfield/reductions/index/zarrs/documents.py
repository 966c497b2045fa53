"""The JSON documents of a Zarr hierarchy: what a folder is, and what is said of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearfield.errors import DataFileError
from nearfield.reductions.index.files import file_id, settled, unchanged
from nearfield.reductions.stack import FileId

MAX_DOCUMENT = 256_000_000
"""Bytes; the root of a large hierarchy holds a copy of all its documents."""
_KINDS = (("zarr.json", 3), (".zarray", 2), (".zgroup", 2))


@dataclass(frozen=True, eq=False)
class Node:
    """An array or a group."""

    folder: str
    is_array: bool
    version: int
    said: Mapping[str, Any]
    attributes: Mapping[str, Any]
    files: tuple[FileId, ...]
    """Its documents."""


def read_node(folder: str) -> Node | None:
    """What a folder is; ``None`` where it is nothing of Zarr's.

    Raises:
        DataFileError: a document cannot be read, or is none.
    """
    for name, version in _KINDS:
        path = f"{folder}/{name}"
        if (found := _document(path)) is None:
            continue
        said, file = found
        if said.get("zarr_format") != version:
            raise DataFileError(path, f"its zarr_format is {said.get('zarr_format')!r}")
        attributes = said.get("attributes")
        files: tuple[FileId, ...] = (file,)
        if version == 2:
            more = _document(f"{folder}/.zattrs")
            attributes = more[0] if more else {}
            files = (file, more[1]) if more else files
        is_array = name == ".zarray" or said.get("node_type") == "array"
        if not isinstance(attributes, dict):
            attributes = {}
        return Node(folder, is_array, version, said, attributes, files)
    return None


def is_zarr(folder: str) -> bool:
    """Has a folder a document of Zarr?"""
    return any(os.path.isfile(f"{folder}/{name}") for name, _ in _KINDS)  # noqa: PTH113


def members(folder: str) -> list[str]:
    """The names of the folders in a folder, in order. Raises DataFileError."""
    try:
        with os.scandir(folder) as every:
            return sorted(one.name for one in every if one.is_dir())
    except OSError as error:
        raise DataFileError(folder, f"it cannot be read: {error.strerror}") from error


def _document(path: str) -> tuple[dict[str, Any], FileId] | None:
    try:
        before = settled(path)
        if not os.path.isfile(path):  # noqa: PTH113 - a pipe would be waited for
            raise DataFileError(path, "it is no file")
        if before.size > MAX_DOCUMENT:
            raise DataFileError(path, f"it has {before.size:,} bytes: that is no document of Zarr")
        raw = Path(path).read_bytes()
        after = file_id(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataFileError(path, f"it cannot be read: {error.strerror}") from error
    if not unchanged(after, before):
        raise DataFileError(path, "it changes while it is being read", hint="try again")
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataFileError(path, f"it is no JSON: {error}") from error
    if not isinstance(said, dict):
        raise DataFileError(path, "it is no document of Zarr")
    return said, before
