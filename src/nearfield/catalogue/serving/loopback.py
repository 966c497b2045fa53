"""LoopBack's filters, as the PaNOSC search API has them: read with bounds, applied to records.

https://loopback.io/doc/en/lb3/Querying-data.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from nearfield.querying.times import instant

View = Mapping[str, Any]
Test = Callable[[View], bool]
Kind = Literal["text", "name", "number", "date", "flag", "any"]
"""``name``, ``any``: texts are alike whatever their case."""

MAX_FILTER = 16 * 1024
MAX_DEPTH = 12
MAX_NODES = 1000
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
MAX_RELATED = 10_000
MAX_SKIP = 2**31
MAX_NUMBER = 10**300


class FilterError(Exception):
    """A filter that cannot be applied; ``message`` says which part."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A relation that is wanted in the answer; ``where`` also chooses by it."""

    relation: str
    scope: Filter


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, its parts checked for shape and size, not for names."""

    where: dict[str, Any] = field(default_factory=dict)
    include: tuple[Inclusion, ...] = ()
    limit: int = DEFAULT_LIMIT
    skip: int = 0
    fields: frozenset[str] | None = None
    query: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What a filter may name: properties by kind, and what ``text`` looks at."""

    name: str
    properties: Mapping[str, Kind]
    text: Callable[[View, str], bool]


def read_filter(text: str | None) -> Filter:
    """The filter of a request's parameter.

    Raises:
        FilterError: not a filter, or too large a one.
    """
    return _filter_of(_json(text, "filter")) if text else Filter()


def read_where(text: str | None) -> dict[str, Any]:
    """The parameter ``where`` of a count. Raises FilterError."""
    return _object(_json(text, "where"), "where") if text else {}


def _json(text: str, name: str) -> Any:
    if len(text) > MAX_FILTER:
        raise FilterError(f"{name}: more than {MAX_FILTER} characters")
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise FilterError(f"{name}: not JSON") from error
    _measure(found, name)
    return found


def _no_number(text: str) -> None:
    raise ValueError(text)


def _measure(value: Any, name: str) -> None:
    nodes, level = 0, [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for one in level:
            nodes += 1
            if isinstance(one, dict):
                below += one.values()
                one = "".join(one)  # noqa: PLW2901 - its names are texts too
            elif isinstance(one, list):
                below += one
            _check_value(one, name)
        if nodes > MAX_NODES:
            raise FilterError(f"{name}: more than {MAX_NODES} values")
        if not below:
            return
        level = below
    raise FilterError(f"{name}: nested deeper than {MAX_DEPTH}")


def _check_value(value: Any, name: str) -> None:
    """Refuses what JSON can write and nothing behind it can hold."""
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise FilterError(f"{name}: a number of more than {len(str(MAX_NUMBER)) - 1} digits")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise FilterError(f"{name}: half a character in a text") from None


def _filter_of(said: Any) -> Filter:
    said = _object(said, "filter")
    known = {"where", "include", "limit", "skip", "offset", "order", "fields", "query"}
    if unknown := sorted(said.keys() - known):
        raise FilterError(f"filter: no part {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    order = said.get("order")
    if order not in (None, [], "creationDate DESC", ["creationDate DESC"]):
        raise FilterError("order: only 'creationDate DESC', which is how all answers are ordered")
    query = said.get("query")
    if query is not None and not isinstance(query, str):
        raise FilterError("query: not a text")
    return Filter(
        where=_object(said.get("where") or {}, "where"),
        include=tuple(_inclusions(said.get("include"))),
        # LoopBack takes 0 for "no limit".
        limit=_number(said.get("limit"), "limit", MAX_LIMIT) or DEFAULT_LIMIT,
        skip=_number(said.get("skip", said.get("offset")), "skip", MAX_SKIP),
        fields=_fields(said.get("fields")),
        query=query or None,
    )


def _object(said: Any, name: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise FilterError(f"{name}: not an object")
    return said


def _number(said: Any, name: str, most: int) -> int:
    if said is None:
        return 0
    if isinstance(said, bool) or not isinstance(said, int) or not 0 <= said <= most:
        raise FilterError(f"{name}: not a number from 0 to {most}")
    return said


def _fields(said: Any) -> frozenset[str] | None:
    if said is None:
        return None
    if isinstance(said, dict):
        said = [name for name, wanted in said.items() if wanted is True]
    if not isinstance(said, list) or not all(isinstance(name, str) for name in said):
        raise FilterError("fields: a list of names, or an object of names and true")
    return frozenset(said) or None


def _inclusions(said: Any) -> Iterator[Inclusion]:
    if said is None:
        return
    for one in said if isinstance(said, list) else [said]:
        entry = {"relation": one} if isinstance(one, str) else one
        if not isinstance(entry, dict) or not isinstance(entry.get("relation"), str):
            raise FilterError("include: each entry has a relation")
        if unknown := sorted(entry.keys() - {"relation", "scope"}):
            raise FilterError(f"include: unknown part {unknown[0]!r}")
        scope = _object(entry.get("scope") or {}, "scope")
        # All of a relation, as LoopBack has it, unless it is limited.
        limit = {} if scope.get("limit") else {"limit": None}
        found = _filter_of({**scope, **limit})
        yield Inclusion(entry["relation"], replace(found, limit=MAX_RELATED) if limit else found)


def terms_of(where: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The conditions that must all hold: those beside each other, and those in ``and``."""
    for name, said in where.items():
        if name == "and":
            for one in _list(said, "and"):
                yield from terms_of(_object(one, "and"))
        else:
            yield name, said


def compiled(where: Mapping[str, Any], model: Model) -> Test:
    """A test of one record.

    Raises:
        FilterError: an unknown property or operator, or a value that does not fit it.
    """
    tests = [term_test(name, said, model) for name, said in where.items()]
    return lambda view: all(test(view) for test in tests)


def term_test(name: str, said: Any, model: Model) -> Test:
    if name in ("and", "or", "nor"):
        tests = [compiled(_object(one, name), model) for one in _list(said, name)]
        if name == "and":
            return lambda view: all(test(view) for test in tests)
        if name == "or":
            return lambda view: any(test(view) for test in tests)
        return lambda view: not any(test(view) for test in tests)
    if name == "text":
        if not isinstance(said, str):
            raise FilterError("text: not a text")
        return lambda view: model.text(view, said)
    if name not in model.properties:
        known = ", ".join(model.properties)
        raise FilterError(f"{model.name} has no property {name!r}; it has: {known}")
    test = value_test(said, model.properties[name], name)

    def holds(view: View) -> bool:
        value = view.get(name)
        if isinstance(value, tuple | list):
            return any(test(one) for one in value)
        return test(value)

    return holds


def value_test(said: Any, kind: Kind, name: str) -> Callable[[Any], bool]:
    """What one property's value must be: a value, or an object of operators.

    Raises:
        FilterError: names the property and what does not fit.
    """
    if not isinstance(said, dict):
        return _equal(_operand(said, kind, name), kind)
    if not said:
        raise FilterError(f"{name}: no operator")
    tests = [_operator(operator, value, kind, name) for operator, value in said.items()]
    return lambda value: all(test(value) for test in tests)


def _operator(operator: str, said: Any, kind: Kind, name: str) -> Callable[[Any], bool]:
    where = f"{name}.{operator}"
    if operator in ("inq", "nin"):
        some = [_equal(_operand(one, kind, where), kind) for one in _list(said, where)]
        if operator == "inq":
            return lambda value: any(test(value) for test in some)
        return lambda value: not any(test(value) for test in some)
    if operator == "between":
        ends = _list(said, where)
        if len(ends) != 2:
            raise FilterError(f"{where}: not a list of two")
        low, high = _operator("gte", ends[0], kind, name), _operator("lte", ends[1], kind, name)
        return lambda value: low(value) and high(value)
    if operator in ("eq", "neq"):
        same = _equal(_operand(said, kind, where), kind)
        return same if operator == "eq" else lambda value: not same(value)
    if operator in ("like", "nlike", "ilike", "nilike"):
        if not isinstance(said, str):
            raise FilterError(f"{where}: not a text")
        like = pattern(said, fold=operator in ("ilike", "nilike"))
        return like if operator in ("like", "ilike") else lambda value: not like(value)
    if operator in ("lt", "lte", "gt", "gte"):
        return _ordered(operator, _operand(said, kind, where))
    known = "eq, neq, lt, lte, gt, gte, between, inq, nin, like, nlike, ilike, nilike"
    raise FilterError(f"{name}: no operator {operator!r}; there are: {known}")


def _list(said: Any, name: str) -> Sequence[Any]:
    if not isinstance(said, list) or not said:
        raise FilterError(f"{name}: not a list of at least one")
    return said


@dataclass(frozen=True, slots=True)
class _Time:
    """A time to compare with; a record's own is read when it is compared."""

    seconds: float


def _operand(said: Any, kind: Kind, name: str) -> Any:
    if said is None:
        return None
    if kind == "date":
        seconds = _seconds(said)
        if seconds is None:
            raise FilterError(f"{name}: not a time as ISO 8601 has it")
        return _Time(seconds)
    fits = {
        "text": isinstance(said, str),
        "name": isinstance(said, str),
        "number": isinstance(said, int | float) and not isinstance(said, bool),
        "flag": isinstance(said, bool),
        "any": isinstance(said, str | int | float | bool),
    }
    if not fits[kind]:
        raise FilterError(f"{name}: a {type(said).__name__} where a {kind} is compared")
    return said


def _seconds(said: Any) -> float | None:
    if not isinstance(said, str):
        return None
    try:
        return instant(datetime.fromisoformat(said))
    except (ValueError, OverflowError):
        return None


def _equal(wanted: Any, kind: Kind) -> Callable[[Any], bool]:
    if kind in ("name", "any") and isinstance(wanted, str):
        folded = wanted.casefold()
        return lambda value: isinstance(value, str) and value.casefold() == folded

    def same(value: Any) -> bool:
        if isinstance(wanted, _Time):
            return _seconds(value) == wanted.seconds
        if _is_number(value) and _is_number(wanted):
            return math.isclose(value, wanted, rel_tol=1e-6)
        return type(value) is type(wanted) and bool(value == wanted)

    return same


def _ordered(operator: str, wanted: Any) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        have, want = value, wanted
        if isinstance(wanted, _Time):
            have, want = _seconds(value), wanted.seconds
        numbers = _is_number(have) and _is_number(want)
        if not numbers and not (isinstance(have, str) and isinstance(want, str)):
            return False
        return bool(
            {"lt": have < want, "lte": have <= want, "gt": have > want, "gte": have >= want}[
                operator
            ]
        )

    return holds


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def pattern(text: str, *, fold: bool) -> Callable[[Any], bool]:
    """SQL's LIKE with ``%`` alone, without regular expressions: linear in the text's length."""
    pieces = (text.casefold() if fold else text).split("%")

    def holds(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        have = value.casefold() if fold else value
        if len(pieces) == 1:
            return have == pieces[0]
        first, *middle, last = pieces
        if not have.startswith(first):
            return False
        at = len(first)
        for piece in middle:
            found = have.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        return len(have) - len(last) >= at and have.endswith(last)

    return holds
