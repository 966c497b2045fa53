"""Single values of a file, by path: what facility rules ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nearfield.catalogue.metadata.values import number_of, text_of, texts_of
from nearfield.catalogue.metadata.walk import attribute, child, scalar

MAX_LIST = 50


def values_at(root: Any, places: Iterable[str]) -> dict[str, Any]:
    """What each place holds: a text, texts, a number, or a number with its unit.

    A place is an HDF5 path, or ``PATH@NAME`` for an attribute. Places that hold nothing of the
    kind, or are in other files, are left out.
    """
    found: dict[str, Any] = {}
    for place in places:
        path, at, name = place.rpartition("@")
        if at:
            holder = root if path == "/" else child(root, path)
            value = None if holder is None else plain(attribute(holder, name))
        else:
            value = plain(scalar(root, place, limit=MAX_LIST))
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                field = child(root, place)
                unit = text_of(attribute(field, "units")) or text_of(attribute(field, "unit"))
                value = {"value": value, "unit": unit} if unit else value
        if value is not None:
            found[place] = value
    return found


def plain(value: Any) -> Any:
    """A number, a text, or a list of texts; ``None`` for all else."""
    if value is None:
        return None
    number = number_of(value)
    if number is not None and not isinstance(value, (str, bytes)):
        return number
    texts = texts_of(value, 10_000)[:MAX_LIST]
    return texts[0] if len(texts) == 1 else texts or None
