"""What the axes of a Zarr array are called, and their values: as xarray writes them.

Version 3 has ``dimension_names``; in version 2 xarray keeps them in ``_ARRAY_DIMENSIONS``
(https://docs.xarray.dev/en/stable/internals/zarr-encoding-spec.html). A coordinate is an array
beside this one: of one axis and called as a dimension is, or listed in ``coordinates``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nearfield.errors import BlockedError, DataFileError, UsageError
from nearfield.reductions.index.zarrs.by_library import opened
from nearfield.reductions.index.zarrs.documents import Node, read_node
from nearfield.reductions.index.zarrs.opening import open_zarr
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.labels import Coordinate, Labels, plain_dims
from nearfield.reductions.packed import unpacked
from nearfield.reductions.reading import blocks
from nearfield.reductions.stack import Shape, Stack

MAX_COORDINATE = 100_000_000
"""Values of one."""


def labels_of_zarr(stack: Stack) -> Labels:
    """Of a stack that ``open_zarr`` gave. A coordinate that cannot be read is left out."""
    folder = stack.held[0].path
    above, _, name = folder.rpartition("/")
    label = name.removesuffix(".zarr") or "data"
    plain = plain_dims(stack.outer, stack.frame_shape)
    shape = (*stack.outer, *stack.frame_shape)
    if (node := read_node(folder)) is None:
        return Labels(label, plain)
    dims = _named(node, plain)
    coords: dict[str, Coordinate] = {}
    listed = node.attributes.get("coordinates")
    more = listed.split() if isinstance(listed, str) else []
    for each in dict.fromkeys([*dims, *more]):
        if each not in (name, label) and (found := _coordinate(above, each, dims, shape)):
            coords[each] = found
    return Labels(label, dims, coords)


def _named(node: Node, plain: tuple[str, ...]) -> tuple[str, ...]:
    said = node.said.get("dimension_names")
    if node.version == 2:
        said = node.attributes.get("_ARRAY_DIMENSIONS")
    if not isinstance(said, list) or len(said) != len(plain):
        return plain
    names = [each if isinstance(each, str) and each else None for each in said]
    found = tuple(
        each or (f"dim_{number}" if plain[number] in names else plain[number])
        for number, each in enumerate(names)
    )
    return found if len(set(found)) == len(found) else plain


def _coordinate(above: str, name: str, dims: tuple[str, ...], shape: Shape) -> Coordinate | None:
    if "/" in name or name in (".", ".."):
        return None
    try:
        node = read_node(f"{above}/{name}")
    except DataFileError:
        return None
    if node is None or not node.is_array:
        return None
    size = node.said.get("shape")
    if not isinstance(size, list) or len(size) != 1:
        return None
    own = _named(node, (name,))
    if own[0] not in dims or size[0] != shape[dims.index(own[0])] or size[0] > MAX_COORDINATE:
        return None
    try:
        values = unpacked(_values(node.folder), node.attributes)
    except (BlockedError, DataFileError):
        return None
    attrs: dict[str, Any] = {
        key: text
        for key in ("units", "long_name")
        if isinstance(text := node.attributes.get(key), str)
    }
    return own, values, attrs


def _values(folder: str) -> Array:
    try:
        stack = open_zarr(folder, frame_ndim=0)
    except UsageError:  # no numbers
        return np.asarray(opened(folder)[:])
    found = np.empty(stack.shape, stack.dtype)
    for first, block in blocks(stack, 0, stack.shape[0]):
        found[first : first + len(block)] = block.reshape(-1)
    return found
