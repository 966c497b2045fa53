"""File names of an openPMD series: one file for each iteration."""

from __future__ import annotations

import re

_SERIES = re.compile(r"%0?(\d*)T")


def series_expression(pattern: str) -> str:
    """An openPMD file pattern as a regular expression: ``%T`` any number, ``%06T`` six digits."""
    match = _SERIES.search(pattern)
    if match is None:
        return r"(?!)"
    digits = f"(\\d{{{match[1]},}})" if match[1] else r"(\d+)"
    name = re.escape(pattern[: match.start()]) + digits + re.escape(pattern[match.end() :])
    # The attribute may leave the suffix out ("simData_%T").
    return name if pattern.endswith((".h5", ".hdf5")) else f"{name}(?:\\.h5|\\.hdf5)?"
