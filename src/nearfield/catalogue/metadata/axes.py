"""The axes of a NeXus plot, in each of the ways in which files have named them.

https://manual.nexusformat.org/datarules.html: since 2014 the NXdata's attribute ``axes`` with
``NAME_indices``; before that the signal's attribute ``axes`` (``"a:b"``); before that an
attribute ``axis`` on each field, with ``primary=1`` on the one to take of several.
"""

from __future__ import annotations

import re
from typing import Any

from nearfield.catalogue.metadata.values import number_of, text_of, texts_of
from nearfield.catalogue.metadata.walk import (
    READ_ERRORS,
    Group,
    attribute,
    child,
    members,
    shown_name,
)
from nearfield.datasets import Axis

_SEPARATORS = re.compile(r"[:,\s]+")


def axes_of(plot: Group, signal: str, rank: int) -> tuple[Axis | None, ...]:
    """One axis for each of the ``rank`` dimensions; empty where the file names none."""
    names = (
        _of_the_group(plot, rank)
        or _of_the_signal(plot, signal, rank)
        or _of_the_fields(plot, rank)
    )
    if not any(names):
        return ()
    return tuple(None if name is None else _axis(plot, name) for name in names)


def _of_the_group(plot: Group, rank: int) -> list[str | None]:
    said = texts_of(attribute(plot.handle, "axes"))
    # One text for all is an older spelling of the same.
    names = _split(said[0]) if len(said) == 1 and rank > 1 else said
    found: list[str | None] = [None] * rank
    for position, name in enumerate(names):
        if name == ".":
            continue
        where = _dimension(plot, name)
        where = position if where is None else where
        if 0 <= where < rank and found[where] is None:
            found[where] = name
    return found if any(found) else []


def _dimension(plot: Group, name: str) -> int | None:
    """The first dimension in ``NAME_indices``."""
    said = attribute(plot.handle, f"{name}_indices")
    values = said.ravel().tolist() if hasattr(said, "ravel") else said
    first = values[0] if isinstance(values, list) and values else values
    if isinstance(first, (str, bytes)):
        word = (text_of(first) or "").split(",")[0]
        return int(word) if word.isdecimal() else None
    number = number_of(first)
    return None if number is None else int(number)


def _of_the_signal(plot: Group, signal: str, rank: int) -> list[str | None]:
    field = child(plot.handle, signal)
    said = texts_of(attribute(field, "axes")) if field is not None else []
    names = _split(said[0]) if len(said) == 1 else said
    named: list[str | None] = [None if name == "." else name for name in names]
    return named[:rank] + [None] * (rank - len(named)) if any(named) else []


def _split(names: str) -> list[str]:
    return [name for name in _SEPARATORS.split(names.strip("[] \t")) if name]


def _of_the_fields(plot: Group, rank: int) -> list[str | None]:
    found: list[str | None] = [None] * rank
    primary = [False] * rank
    try:
        names = members(plot.handle)
    except READ_ERRORS:
        return []
    for name in names:
        field = child(plot.handle, name)
        number = _number(attribute(field, "axis")) if field is not None else None
        if number is None or not 1 <= number <= rank:
            continue
        first = _number(attribute(field, "primary")) == 1
        if found[number - 1] is None or (first and not primary[number - 1]):
            found[number - 1], primary[number - 1] = name, first
    return found


def _number(said: Any) -> int | None:
    """An integer that may be written as a text, as files before 2010 have it."""
    word = text_of(said)
    if word is not None:
        return int(word) if word.isdecimal() and len(word) < 4 else None
    number = number_of(said)
    return None if number is None else int(number)


def _axis(plot: Group, name: str) -> Axis:
    field = child(plot.handle, name)
    if field is None:
        return Axis(name=shown_name(name))
    units = text_of(attribute(field, "units")) or text_of(attribute(field, "unit"))
    shown = shown_name(name)
    return Axis(name=shown, units=units, path=f"{plot.path.rstrip('/')}/{shown}")
