"""The part of MongoDB's query language that SciCat's filters reach, for :mod:`.fake_scicat`.

With its quirks: a field that is a list fits where one of its elements does, what is missing equals
``null``, and values of different types never compare. ``cast`` turns texts into times where the
field is a time, as Mongoose's own ``find`` does; an aggregation does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

Document = Mapping[str, Any]
_ALLOWED = frozenset(
    {
        *("where", "include", "fields", "limits", "limit", "skip", "sort", "$in", "$or"),
        *("$and", "$nor", "$match", "$eq", "$gt", "$gte", "$lt", "$lte", "$ne", "$nin"),
        *("$not", "$exists", "$regex", "$options", "name", "relationships", "targetId"),
        *("targetType", "relationType"),
    }
)
_ANYTHING_BELOW = frozenset({"scientificMetadata", "jobParameters"})


class BadFilterError(Exception):
    """What the backend answers 400 to."""


def checked(said: Document, fields: frozenset[str]) -> None:
    """As v4 checks a filter: keys of objects, not of what is in lists."""
    for path in _paths(said, ""):
        anything = False
        for part in path.split("."):
            if part not in fields and part not in _ALLOWED and not anything:
                raise BadFilterError(f"Property {path} should not exist in the filter object")
            anything = anything or part in _ANYTHING_BELOW


def _paths(said: Document, above: str) -> Iterator[str]:
    for key, value in said.items():
        path = f"{above}.{key}" if above else key
        if isinstance(value, dict) and value:
            yield from _paths(value, path)
        else:
            yield path


def computes(said: Any) -> bool:
    """Is there an ``$expr`` in it?"""
    if isinstance(said, dict):
        return "$expr" in said or any(map(computes, said.values()))
    return isinstance(said, list) and any(map(computes, said))


def fits(document: Document, where: Document, *, cast: bool) -> bool:
    """Does ``document`` match?"""
    for key, wanted in where.items():
        if key == "$and":
            good = all(fits(document, one, cast=cast) for one in wanted)
        elif key == "$or":
            good = any(fits(document, one, cast=cast) for one in wanted)
        elif key == "$nor":
            good = not any(fits(document, one, cast=cast) for one in wanted)
        elif key == "$expr":
            good = _expression(document, wanted)
        elif key.startswith("$"):
            raise BadFilterError(f"unknown top level operator: {key}")
        else:
            good = _field(list(values_at(document, key.split("."))), wanted, cast)
        if not good:
            return False
    return True


def values_at(said: Any, parts: list[str]) -> Iterator[Any]:
    """All values that a path leads to; a list stands for its elements, and for itself."""
    if not parts:
        yield said
        if isinstance(said, list):
            yield from said
    elif isinstance(said, dict):
        if parts[0] in said:
            yield from values_at(said[parts[0]], parts[1:])
    elif isinstance(said, list):
        if parts[0].isdigit() and int(parts[0]) < len(said):
            yield from values_at(said[int(parts[0])], parts[1:])
        for one in said:
            if isinstance(one, dict):
                yield from values_at(one, parts)


def _field(values: list[Any], wanted: Any, cast: bool) -> bool:
    if not (isinstance(wanted, dict) and any(key.startswith("$") for key in wanted)):
        return _equal(values, wanted, cast)
    return all(
        _operator(values, sign, one, wanted, cast)
        for sign, one in wanted.items()
        if sign != "$options"
    )


def _operator(values: list[Any], sign: str, wanted: Any, every: Document, cast: bool) -> bool:
    if sign == "$exists":
        return bool(values) is bool(wanted)
    if sign == "$eq":
        return _equal(values, wanted, cast)
    if sign == "$ne":
        return not _equal(values, wanted, cast)
    if sign in ("$in", "$nin"):
        found = any(_equal(values, one, cast) for one in wanted)
        return found if sign == "$in" else not found
    if sign == "$not":
        return not _field(values, wanted, cast)
    if sign == "$regex":
        options = re.IGNORECASE if "i" in every.get("$options", "") else 0
        try:
            pattern = re.compile(wanted, options)
        except re.error as error:
            raise BadFilterError(f"Regular expression is invalid: {error}") from error
        return any(isinstance(value, str) and pattern.search(value) for value in values)
    if sign in _COMPARE:
        return any(_compared(sign, value, _like(value, wanted, cast)) for value in values)
    raise BadFilterError(f"unknown operator: {sign}")


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda a, b: bool(a > b),
    "$gte": lambda a, b: bool(a >= b),
    "$lt": lambda a, b: bool(a < b),
    "$lte": lambda a, b: bool(a <= b),
}


def _compared(sign: str, have: Any, want: Any) -> bool:
    return _kind(have) is not None and _kind(have) == _kind(want) and _COMPARE[sign](have, want)


def _equal(values: list[Any], wanted: Any, cast: bool) -> bool:
    if wanted is None:
        return not values or any(value is None for value in values)
    return any(_same(value, _like(value, wanted, cast)) for value in values)


def _same(have: Any, want: Any) -> bool:
    return _kind(have) == _kind(want) and bool(have == want)


def _kind(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    for kind in (str, datetime, list, dict):
        if isinstance(value, kind):
            return kind.__name__
    return None


def _like(have: Any, wanted: Any, cast: bool) -> Any:
    if cast and isinstance(have, datetime) and isinstance(wanted, str):
        try:
            return datetime.fromisoformat(wanted)
        except ValueError:
            return wanted
    return wanted


def _expression(document: Document, said: Any) -> bool:
    if not isinstance(said, dict) or len(said) != 1:
        raise BadFilterError("$expr: one operator")
    ((sign, operands),) = said.items()
    one, other = (_computed(document, operand) for operand in operands)
    if sign == "$eq":
        return _same(one, other) or (one is None and other is None)
    if sign not in _COMPARE:
        raise BadFilterError(f"Unrecognized expression '{sign}'")
    # In an expression what is missing is less than everything else.
    if one is None or other is None:
        return sign in ("$lt", "$lte") if other is not None else sign in ("$gt", "$gte")
    return _compared(sign, one, other)


def _computed(document: Document, said: Any) -> Any:
    if isinstance(said, str) and said.startswith("$"):
        return next(values_at(document, said[1:].split(".")), None)
    if isinstance(said, dict) and set(said) == {"$toDate"}:
        return datetime.fromisoformat(said["$toDate"])
    return said
