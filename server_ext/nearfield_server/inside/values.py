"""A part of an array as JSON, no more than so many bytes."""

from __future__ import annotations

import math
import re
from typing import Any

import h5py
import numpy as np

from nearfield_server.inside.files import LookError
from nearfield_server.inside.walk import Walk

MAX_BYTES = 1024 * 1024
MAX_VALUES = 100_000
MAX_TEXT = 500
_PART = re.compile(r"\s*(-?\d{1,15})?\s*(?:(:)\s*(-?\d{1,15})?\s*(?::\s*(\d{1,15})?\s*)?)?")


def part_of(walk: Walk, data: Any, text: str) -> dict[str, Any]:
    """The values that ``text`` names.

    Raises:
        LookError: no array, more than 1 MB or 100,000 values, or values that JSON cannot tell.
    """
    if not isinstance(data, h5py.Dataset):
        raise LookError("usage", "this is no array")
    walk.check_extent(data)
    if data.shape is None:
        return {"shape": [], "dtype": str(data.dtype), "slice": "", "data": None}
    _must_be_plain(data)
    parts = selection(text, data.shape)
    counts = [1 if isinstance(one, int) else len(range(*one.indices(10**16))) for one in parts]
    size = math.prod(counts)
    if size > MAX_VALUES or size * data.dtype.itemsize > MAX_BYTES:
        raise LookError(
            "usage",
            f"{size} values: more than {MAX_VALUES} or {MAX_BYTES >> 20} MB at once",
            "take a smaller slice",
        )
    said = {
        "shape": [int(edge) for edge in data.shape],
        "dtype": str(data.dtype),
        "slice": ",".join(_written(one) for one in parts),
    }
    if size == 0:
        return {**said, "data": []}
    walk.check_values(data, [_bounds(one) for one in parts])
    return {**said, "data": plain(data[tuple(parts)])}


def selection(text: str, shape: tuple[int, ...]) -> list[int | slice]:
    """What ``0,:,10:20`` names in an array of that shape, complete and in its bounds.

    Raises:
        LookError: it is no slice, names more axes than there are, or an index that is not there.
    """
    given = text.split(",") if text.strip() else []
    if len(given) > len(shape):
        raise LookError("usage", f"slice {text!r}: this array has {len(shape)} axes")
    given += [":"] * (len(shape) - len(given))
    return [_one(part, edge, text) for part, edge in zip(given, shape, strict=True)]


def _one(part: str, edge: int, text: str) -> int | slice:
    found = _PART.fullmatch(part)
    if found is None or not part.strip():
        raise LookError("usage", f"slice {text!r}: {part!r} is no index", "as in 0,:,10:20")
    first, colon, last, step = found.groups()
    if colon is None:
        index = int(first)
        if not -edge <= index < edge:
            raise LookError("usage", f"slice {text!r}: no index {index}: the axis has {edge}")
        return index % edge
    by = 1 if step is None else int(step)
    if by < 1:
        raise LookError("usage", f"slice {text!r}: a step must be 1 or more")
    start, stop, _ = slice(
        None if first is None else int(first), None if last is None else int(last)
    ).indices(edge)
    return slice(start, max(start, stop), by)


def _bounds(one: int | slice) -> tuple[int, int]:
    return (one, one) if isinstance(one, int) else (one.start, one.stop - 1)


def _written(one: int | slice) -> str:
    if isinstance(one, int):
        return str(one)
    return f"{one.start}:{one.stop}" + (f":{one.step}" if one.step != 1 else "")


def _must_be_plain(data: h5py.Dataset) -> None:
    kind = data.dtype
    text = h5py.check_string_dtype(kind) is not None
    if kind.kind in "VO" and not text:
        raise LookError(
            "usage", f"values of type {kind} are not shown here", "open it in a notebook"
        )


def plain(value: Any) -> Any:
    """A value of h5py's as JSON has it: what is no number becomes null, a complex a pair."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            shown = value.astype(object)
            shown[~np.isfinite(value)] = None
            return shown.tolist()
        if value.dtype.kind == "c":
            return plain(np.stack([value.real, value.imag], axis=-1))
        if value.dtype.kind in "biu":
            return value.tolist()
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")[:MAX_TEXT]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()[:MAX_TEXT]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return f"({type(value).__name__})"
