"""How chunks became bytes: Zarr's codecs as the steps that are known here.

Version 3: https://zarr-specs.readthedocs.io/en/latest/v3/codecs/index.html; version 2 by the
identifiers of numcodecs. A codec that is not here is not understood, never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.stack import CRC32C, GZIP, Filter, Shape

_ZLIB, _SHUFFLE, _BLOSC, _ZSTD = 1, 2, 32001, 32015
_BYTES = {"gzip": GZIP, "zstd": _ZSTD, "blosc": _BLOSC, "crc32c": CRC32C}
_OLD = {"gzip": GZIP, "zstd": _ZSTD, "blosc": _BLOSC, "zlib": _ZLIB}
_IN_BLOSC = ("blosclz", "lz4", "lz4hc", "zlib", "zstd")


@dataclass(frozen=True)
class Coded:
    """A chunk's numbers as bytes."""

    dtype: np.dtype[np.generic]
    """With the order of bytes."""
    filters: tuple[Filter, ...]


@dataclass(frozen=True)
class Sharding:
    """Many chunks in one file, and where its index is."""

    chunk: Shape
    order: str
    """Of the bytes of the index: ``<`` or ``>``."""
    checked: bool
    """A CRC-32C follows the index."""
    at_end: bool


def of_version_3(
    codecs: Any, kind: np.dtype[np.generic], rank: int
) -> tuple[Coded, Sharding | None]:
    """The codecs of an array, of the chunks within its shards where it has these.

    Raises:
        NotUnderstood: one of them is not known here.
    """
    steps = [_named(each) for each in _list(codecs)]
    while steps and steps[0][0] == "transpose":
        _identity(steps.pop(0)[1], rank)
    if not steps:
        raise NotUnderstood("it has no codec that makes bytes")
    (name, said), rest = steps[0], steps[1:]
    if name == "sharding_indexed":
        if rest:
            raise NotUnderstood(f"its shards are in codec {rest[0][0]!r} again")
        coded, deeper = of_version_3(said.get("codecs"), kind, rank)
        if deeper is not None:
            raise NotUnderstood("its shards hold shards")
        return coded, _sharding(said, rank)
    if name != "bytes":
        raise NotUnderstood(f"codec {name!r}")
    return Coded(_ordered(said, kind), tuple(_filter(*each) for each in rest)), None


def of_version_2(said: Mapping[str, Any]) -> tuple[Filter, ...]:
    """The filters and the compressor of an array. Raises NotUnderstood."""
    found = []
    for each in _list(said.get("filters") or []):
        config: Mapping[str, Any] = each if isinstance(each, dict) else {}
        width: Any = config.get("elementsize")
        if config.get("id") != "shuffle" or not _whole(width) or width < 1:
            raise NotUnderstood(f"filter {config.get('id', each)!r}")
        found.append(Filter(_SHUFFLE, (width,)))
    if (last := said.get("compressor")) is not None:
        name = last.get("id") if isinstance(last, dict) else last
        if not isinstance(name, str) or name not in _OLD:
            raise NotUnderstood(f"compressor {name!r}")
        found.append(_blosc(last) if name == "blosc" else Filter(_OLD[name]))
    return tuple(found)


def shape_of(value: Any, what: str, rank: int | None = None) -> Shape:
    """A list of whole numbers that are not negative. Raises NotUnderstood."""
    if not isinstance(value, list) or not all(_whole(n) and n >= 0 for n in value):
        raise NotUnderstood(f"its {what} is {value!r}"[:200])
    if rank is not None and (len(value) != rank or 0 in value):
        raise NotUnderstood(f"its {what} is {value!r}, and it has {rank} axes"[:200])
    return tuple(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise NotUnderstood("its codecs are no list")
    return value


def named(each: Any, what: str) -> tuple[str, Mapping[str, Any]]:
    """Name and configuration of an extension. Raises NotUnderstood."""
    if isinstance(each, str):
        return each, {}
    if isinstance(each, dict) and isinstance(name := each.get("name"), str):
        said = each.get("configuration") or {}
        if isinstance(said, dict):
            return name, said
    raise NotUnderstood(f"{what} {each!r}"[:200])


def _named(each: Any) -> tuple[str, Mapping[str, Any]]:
    return named(each, "codec")


def _identity(said: Mapping[str, Any], rank: int) -> None:
    if said.get("order") != list(range(rank)):
        raise NotUnderstood(f"its axes are stored in the order {said.get('order')!r}"[:200])


def _ordered(said: Mapping[str, Any], kind: np.dtype[np.generic]) -> np.dtype[np.generic]:
    endian = said.get("endian")
    if kind.itemsize == 1 and endian is None:
        return kind
    if endian not in ("little", "big"):
        raise NotUnderstood(f"its order of bytes is {endian!r}")
    return kind.newbyteorder("<" if endian == "little" else ">")


def _filter(name: str, said: Mapping[str, Any]) -> Filter:
    if name not in _BYTES:
        raise NotUnderstood(f"codec {name!r}")
    return _blosc(said) if name == "blosc" else Filter(_BYTES[name])


def _blosc(said: Mapping[str, Any]) -> Filter:
    if (inside := said.get("cname")) not in _IN_BLOSC:
        raise NotUnderstood(f"blosc with {inside!r}")
    return Filter(_BLOSC)


def _sharding(said: Mapping[str, Any], rank: int) -> Sharding:
    chunk = shape_of(said.get("chunk_shape"), "chunk_shape", rank)
    steps = [_named(each) for each in _list(said.get("index_codecs"))]
    names = [name for name, _ in steps]
    if names not in (["bytes"], ["bytes", "crc32c"]):
        raise NotUnderstood(f"its shards have indexes with codecs {names}")
    order = _ordered(steps[0][1], np.dtype("u8"))
    where = said.get("index_location", "end")
    if where not in ("start", "end"):
        raise NotUnderstood(f"its shards have their index at {where!r}")
    little = order == np.dtype("<u8")
    return Sharding(chunk, "<" if little else ">", len(names) == 2, where == "end")
