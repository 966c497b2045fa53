"""Where a result comes from, as attributes of it that a netCDF or JSON file can hold."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from nearfield._version import __version__
from nearfield.reductions.naming import dataset_path
from nearfield.reductions.plan import Plan
from nearfield.reductions.user_reductions import UserReduction

MAX_FILES = 1000
MAX_VALUES = 32


def provenance(plan: Plan, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a result: texts, numbers and lists of numbers.

    Args:
        asked: Keywords and values as they were given; what was left out is not told.
    """
    wanted = {n: value for n, value in asked.items() if value is not None and value is not False}
    return {
        **of_stack(plan),
        "nearfield_version": __version__,
        "asked": json.dumps({name: _told(value) for name, value in wanted.items()}),
    }


def of_stack(plan: Plan) -> dict[str, Any]:
    """What it says of files and frames; again after they were looked at again.

    Lists of texts are JSON: not every form of netCDF has such lists.
    """
    stack = plan.stack
    take = range(stack.shape[0]) if plan.take is None else plan.take
    files = [file.path for file in stack.files]
    told: dict[str, Any] = {
        "source_file": stack.asked.path if stack.asked is not None else files[0] if files else "",
        "source_dataset": dataset_path(stack),
        "source_files": json.dumps(files[:MAX_FILES]),
        "source_file_count": len(files),
        "frames": [take.start, take.stop, take.step],
        "frame_count": len(take),
        "stack_frames": stack.shape[0],
        # A number: netCDF knows no truth values.
        "partial": int(stack.partial),
    }
    if isinstance(name := stack.attributes.get("long_name"), str):
        told["signal_long_name"] = name
    if isinstance(units := stack.attributes.get("units"), str):
        told["signal_units"] = units
    if stack.missing:
        told["missing_files"] = json.dumps(stack.missing[:MAX_FILES])
        told["missing_file_count"] = len(stack.missing)
    return told


def _told(value: Any) -> Any:
    """As JSON can hold it: an array of many values by its shape and checksum."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, slice):
        return {"slice": [_told(value.start), _told(value.stop), _told(value.step)]}
    if isinstance(value, UserReduction):
        return _told(value.told())
    if isinstance(value, Mapping):
        return {str(name): _told(each) for name, each in value.items()}
    if isinstance(value, list | tuple) and len(value) <= MAX_VALUES:
        return [_told(each) for each in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__array__") or isinstance(value, list | tuple):
        return _array(np.asarray(value))
    return repr(value)[:1000]


def _array(array: Any) -> Any:
    if array.dtype.kind in "uifb" and array.size <= MAX_VALUES:
        return array.tolist()
    told = {"shape": list(array.shape), "dtype": array.dtype.str}
    if array.dtype.kind in "uifbc":
        told["sha256"] = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return told
