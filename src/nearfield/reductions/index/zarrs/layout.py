"""What the document of an array says: its type, its chunks, and what their files are called."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.index.zarrs.codecs import (
    Coded,
    Sharding,
    named,
    of_version_2,
    of_version_3,
    shape_of,
)
from nearfield.reductions.index.zarrs.documents import Node
from nearfield.reductions.stack import Shape

_TYPES = {
    "bool": "?",
    **{f"{sign}int{8 * n}": f"{sign or 'i'}{n}" for sign in ("", "u") for n in (1, 2, 4, 8)},
    **{f"float{8 * n}": f"f{n}" for n in (2, 4, 8)},
}
_KNOWN = frozenset(
    {
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
        "attributes",
        "dimension_names",
        "storage_transformers",
    }
)
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class Keys:
    """The names of an array's files of chunks, below its folder."""

    first: str
    """Before the numbers of a chunk: ``c`` or nothing."""
    separator: str


@dataclass(frozen=True)
class Layout:
    """An array."""

    shape: Shape
    file: Shape
    """Of a chunk, or a shard: what one file holds."""
    chunk: Shape
    """Of what is decoded in one go."""
    coded: Coded
    fill: np.generic
    """In this machine's byte order."""
    keys: Keys
    sharding: Sharding | None


def layout_of(node: Node) -> Layout:
    """How an array is stored. Raises NotUnderstood."""
    return _version_3(node.said) if node.version == 3 else _version_2(node.said)


def _version_3(said: Mapping[str, Any]) -> Layout:
    for name in set(said) - _KNOWN:
        value = said[name]
        if not isinstance(value, dict) or value.get("must_understand") is not False:
            raise NotUnderstood(f"its document has {name!r}")
    if said.get("storage_transformers"):
        raise NotUnderstood("it has storage transformers")
    shape = shape_of(said.get("shape"), "shape")
    called = said.get("data_type")
    if not isinstance(called, str) or called not in _TYPES:
        raise NotUnderstood(f"its values are {called!r}"[:200])
    kind = np.dtype(_TYPES[called])
    name, grid = named(said.get("chunk_grid"), "chunk grid")
    if name != "regular":
        raise NotUnderstood(f"its chunk grid is {name!r}")
    file = shape_of(grid.get("chunk_shape"), "chunk_shape", len(shape))
    coded, sharding = of_version_3(said.get("codecs"), kind, len(shape))
    chunk = file if sharding is None else sharding.chunk
    if any(n % c for n, c in zip(file, chunk, strict=True)):
        raise NotUnderstood(f"its shards {file} are no whole chunks {chunk}")
    fill = _fill(said.get("fill_value"), kind)
    return Layout(shape, file, chunk, coded, fill, _keys(said), sharding)


def _keys(said: Mapping[str, Any]) -> Keys:
    name, config = named(said.get("chunk_key_encoding"), "chunk key encoding")
    if name not in ("default", "v2"):
        raise NotUnderstood(f"its chunk keys are {name!r}")
    separator = config.get("separator", "/" if name == "default" else ".")
    if separator not in ("/", "."):
        raise NotUnderstood(f"its chunk keys are separated by {separator!r}")
    return Keys("c" if name == "default" else "", separator)


def _version_2(said: Mapping[str, Any]) -> Layout:
    shape = shape_of(said.get("shape"), "shape")
    try:
        kind = np.dtype(said["dtype"]) if isinstance(said.get("dtype"), str) else np.dtype("V1")
    except TypeError:
        kind = np.dtype("V1")
    if kind.kind not in "uifb" or kind.itemsize not in (1, 2, 4, 8):
        raise NotUnderstood(f"its values are {said.get('dtype')!r}"[:200])
    if said.get("order") != "C" and len(shape) > 1:
        raise NotUnderstood(f"its chunks are stored in the order {said.get('order')!r}")
    separator = said.get("dimension_separator", ".")
    if separator not in ("/", "."):
        raise NotUnderstood(f"its chunk keys are separated by {separator!r}")
    chunk = shape_of(said.get("chunks"), "chunks", len(shape))
    fill = _fill(0 if said.get("fill_value") is None else said["fill_value"], kind)
    coded = Coded(kind, of_version_2(said))
    return Layout(shape, chunk, chunk, coded, fill, Keys("", separator), None)


def _fill(value: Any, kind: np.dtype[np.generic]) -> np.generic:
    """What is read where there is no chunk, in this machine's byte order."""
    native: Any = kind.newbyteorder("=")
    wrong = NotUnderstood(f"its fill value is {value!r}"[:200])
    if kind.kind == "b" and value in (False, True):
        return np.bool_(value)
    if kind.kind == "b" or isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    if kind.kind in "ui":
        if not isinstance(value, int):
            raise wrong
        limits = np.iinfo(native)
        if not limits.min <= value <= limits.max:
            raise wrong
    elif isinstance(value, str):
        if value.startswith("0x"):
            return _bits(value, native, wrong)
        if value not in _NUMBERS:
            raise wrong
        value = _NUMBERS[value]
    try:
        with np.errstate(over="ignore"):
            made: np.generic = native.type(value)
    except OverflowError:
        raise wrong from None
    return made


def _bits(value: str, native: np.dtype[np.generic], wrong: NotUnderstood) -> np.generic:
    """A float by its bits, for a NaN of some kind."""
    try:
        raw = int(value, 16).to_bytes(native.itemsize, "big")
    except (ValueError, OverflowError):
        raise wrong from None
    made: np.generic = np.frombuffer(raw, native.newbyteorder(">"))[0].astype(native)
    return made
