"""ICAT's query language, as far as a driver needs it; anything else is a syntax error.

``SELECT item, … FROM Entity x [JOIN x.relation y …] [WHERE …] [GROUP BY path] [ORDER BY path …]
[INCLUDE …] [LIMIT n, m]``, with items that are a path or ``COUNT([DISTINCT] x)``. Tokens are
those of ``org.icatproject.core.parser.Tokenizer``; comparison with nothing is unknown, as in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from nearfield.testing.fake_icat_schema import BASE, SCHEMA

_TOKEN = re.compile(
    r"(?P<blank> +)"
    r"|(?P<text>'(?:[^'\0]|'')*')"
    r"|\{ts (?P<ts>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})\}"
    r"|(?P<number>[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d][\w.$]*)"
    r"|(?P<sign>>=|<=|<>|!=|[=<>(),+*/-])"
)
_KEYWORDS = {
    *("AND", "AS", "ASC", "BETWEEN", "BY", "COUNT", "DESC", "DISTINCT", "ESCAPE", "FALSE", "FROM"),
    *("GROUP", "IN", "INCLUDE", "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "LOWER", "NOT", "NULL"),
    *("OR", "ORDER", "SELECT", "TRUE", "WHERE"),
}
Binding = dict[str, Any]
Value = Callable[[Binding], Any]


class QueryError(ValueError):
    """What icat.server answers with BAD_PARAMETER."""


@dataclass
class Parsed:
    """A query, with ``where`` as a function of one row of the joined tables."""

    items: list[tuple[str, bool]] = field(default_factory=list)
    """Path, and whether it is counted."""
    root: tuple[str, str] = ("", "")
    joins: list[tuple[str, str]] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    where: Value | None = None
    group: str | None = None
    order: list[tuple[str, bool]] = field(default_factory=list)
    include: list[tuple[str, str]] = field(default_factory=list)
    """Alias or included name, and the relation from there."""
    limit: tuple[int, int | None] | None = None


class Parser:
    """``run`` evaluates a subquery; ``read`` gives a path's value in a row."""

    def __init__(
        self, text: str, zone: tzinfo, run: Callable[[Parsed, Binding], list[Any]]
    ) -> None:
        self._tokens, self._at = _tokens(text), 0
        self._zone, self._run = zone, run
        self._scope: dict[str, str] = {}

    def query(self, *, whole: bool = True) -> Parsed:
        found = Parsed()
        self._need("SELECT")
        while True:
            found.items.append(self._item())
            if not self._take(","):
                break
        self._need("FROM")
        entity, alias = self._name(), self._name()
        if entity not in SCHEMA:
            raise QueryError(f"{entity} is not an entity")
        found.root = (entity, alias)
        outer = dict(self._scope)
        self._scope = found.aliases = {**outer, alias: entity}
        while self._take("JOIN"):
            path, alias = self._name(), self._name()
            self._scope[alias] = self._relation(path)
            found.joins.append((path, alias))
        if self._take("WHERE"):
            found.where = self._either()
        if self._take("GROUP"):
            self._need("BY")
            found.group = self._path()
        if self._take("ORDER"):
            self._need("BY")
            found.order.append(self._sorted())
            while self._take(","):
                found.order.append(self._sorted())
        if whole:
            self._end(found)
        for path, _ in found.items:
            self._check(path)
        self._scope = outer
        return found

    def _end(self, found: Parsed) -> None:
        if self._take("INCLUDE"):
            self._included(found)
            while self._take(","):
                self._included(found)
        if self._take("LIMIT"):
            first = int(self._number())
            self._need(",")
            found.limit = (first, None if self._take("*") else int(self._number()))
        if self._at < len(self._tokens):
            raise QueryError(f"Expected end of query, not {self._tokens[self._at][1]}")

    def _included(self, found: Parsed) -> None:
        start, _, rest = self._name().partition(".")
        for step in rest.split("."):
            entity = self._scope.get(start)
            known = SCHEMA[entity] if entity else None
            if known is None or (step not in known.one and step not in known.many):
                raise QueryError(f"Problem with INCLUDE clause: {step} is not a field of {entity}")
            if (start, step) in found.include:
                raise QueryError(f"INCLUDE clause contains redundant path to {step}")
            found.include.append((start, step))
            target = known.one.get(step) or known.many[step][0]
            start = f"{start}.{step}"
            self._scope[start] = target
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "name":
            alias = self._name()
            self._scope[alias] = self._scope[start]
            found.include.append((alias, f"={start}"))

    def _item(self) -> tuple[str, bool]:
        if not self._take("COUNT"):
            return self._name(), False
        self._need("(")
        self._take("DISTINCT")
        path = self._name()
        self._need(")")
        return path, True

    def _sorted(self) -> tuple[str, bool]:
        path = self._path()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        return path, descending

    def _either(self) -> Value:
        parts = [self._both()]
        while self._take("OR"):
            parts.append(self._both())
        return lambda row: _or([part(row) for part in parts])

    def _both(self) -> Value:
        parts = [self._one()]
        while self._take("AND"):
            parts.append(self._one())
        return lambda row: _not(_or([_not(part(row)) for part in parts]))

    def _one(self) -> Value:
        if self._take("NOT"):
            inner = self._one()
            return lambda row: _not(inner(row))
        if self._peek() == ("sign", "(") and not self._is_arithmetic():
            self._need("(")
            found = self._either()
            self._need(")")
            return found
        left = self._value()
        negative = self._take("NOT")
        found = self._compared(left)
        return (lambda row: _not(found(row))) if negative else found

    def _is_arithmetic(self) -> bool:
        """``(0 - 8)``: the one sum that is known."""
        return self._at + 2 < len(self._tokens) and self._tokens[self._at + 2] == ("sign", "-")

    def _compared(self, left: Value) -> Value:
        if self._take("IS"):
            negative = self._take("NOT")
            self._need("NULL")
            return lambda row: (left(row) is None) is not negative
        if self._take("LIKE"):
            return self._like(left)
        if self._take("BETWEEN"):
            low = self._value()
            self._need("AND")
            high = self._value()
            return lambda row: _within(left(row), low(row), high(row))
        if self._take("IN"):
            return self._among(left)
        kind, sign = self._next()
        if kind != "sign" or sign not in (">", "<", ">=", "<=", "=", "<>", "!="):
            raise QueryError(f"Expected a comparison, not {sign}")
        right = self._value()
        return lambda row: _compare(sign, left(row), right(row))

    def _like(self, left: Value) -> Value:
        pattern = self._text()
        escape = None
        if self._take("ESCAPE"):
            escape = self._text()
            if len(escape) != 1:
                raise QueryError("ESCAPE takes one character")
        matching = _pattern(pattern, escape)
        return lambda row: None if left(row) is None else bool(matching.fullmatch(left(row)))

    def _among(self, left: Value) -> Value:
        self._need("(")
        if self._peek() == ("word", "SELECT"):
            inner = self.query(whole=False)
            self._need(")")
            return lambda row: left(row) in self._run(inner, row)
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._need(")")
        return lambda row: _or([_compare("=", left(row), value(row)) for value in values])

    def _value(self) -> Value:
        kind, said = self._next()
        if kind == "text":
            constant: Any = said[1:-1].replace("''", "'")
        elif kind == "number":
            constant = float(said) if re.search(r"[.e]", said) else int(said)
        elif kind == "ts":
            constant = datetime.strptime(said, "%Y-%m-%d %H:%M:%S").replace(tzinfo=self._zone)
        elif (kind, said) in (("word", "TRUE"), ("word", "FALSE")):
            constant = said == "TRUE"
        elif (kind, said) == ("word", "LOWER"):
            self._need("(")
            inner = self._value()
            self._need(")")
            return lambda row: None if inner(row) is None else inner(row).lower()
        elif (kind, said) in (("sign", "("), ("sign", "-")):
            constant = self._negative(said)
        elif kind == "name":
            self._check(said)
            return lambda row: read(row, said)
        else:
            raise QueryError(f"Expected a value, not {said}")
        return lambda row: constant

    def _negative(self, said: str) -> float:
        if said == "-":
            return -self._number()
        first = self._number()
        self._need("-")
        second = self._number()
        self._need(")")
        return first - second

    def _check(self, path: str) -> None:
        """Every step to one, the last one an attribute or an entity."""
        alias, *steps = path.split(".")
        entity = self._scope.get(alias)
        for number, step in enumerate(steps):
            known = SCHEMA[entity] if entity else None
            if known is None:
                break
            if step in known.one:
                entity = known.one[step]
            elif number == len(steps) - 1 and step in {*known.attributes, *BASE}:
                return
            else:
                raise QueryError(f"{entity} has no field {step}")
        if entity is None:
            raise QueryError(f"idVar '{alias}' is not defined")

    def _relation(self, path: str) -> str:
        alias, _, step = path.partition(".")
        known = SCHEMA.get(self._scope.get(alias, ""))
        if known is None or (step not in known.one and step not in known.many):
            raise QueryError(f"{alias} has no relationship field {step}")
        return known.one.get(step) or known.many[step][0]

    def _path(self) -> str:
        path = self._name()
        self._check(path)
        return path

    def _name(self) -> str:
        return self._expect("name")

    def _number(self) -> float:
        return float(self._expect("number"))

    def _text(self) -> str:
        return self._expect("text")[1:-1].replace("''", "'")

    def _expect(self, wanted: str) -> str:
        kind, said = self._next()
        if kind != wanted:
            raise QueryError(f"Expected a {wanted}, not {said}")
        return said

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise QueryError(f"Expected {word}, not {self._peek()[1]}")

    def _take(self, word: str) -> bool:
        kind, said = self._peek()
        if said == word and kind in ("word", "sign"):
            self._at += 1
            return True
        return False

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "the end")

    def _next(self) -> tuple[str, str]:
        found = self._peek()
        self._at += 1
        return found


def read(row: Binding, path: str) -> Any:
    """The value of a path in a row; what is not there has no fields."""
    alias, *steps = path.split(".")
    found = row[alias]
    for step in steps:
        found = None if found is None else found.get(step)
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise QueryError(
                f"Unexpected character {text[at]!r} near {text[max(0, at - 4) : at + 5]!r}"
            )
        at = match.end()
        kind = match.lastgroup or ""
        said = match[kind]
        if kind == "name" and said.upper() in _KEYWORDS:
            kind, said = "word", said.upper()
        if kind != "blank":
            found.append((kind, said))
    return found


def _pattern(pattern: str, escape: str | None) -> re.Pattern[str]:
    found, signs = "", iter(pattern)
    for sign in signs:
        if sign == escape:
            found += re.escape(next(signs, ""))
        else:
            found += {"%": ".*", "_": "."}.get(sign, re.escape(sign))
    return re.compile(found, re.DOTALL)


def _compare(sign: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    if isinstance(left, str) != isinstance(right, str):
        raise QueryError(f"cannot compare {left!r} with {right!r}")
    return bool(
        {
            "=": left == right,
            "<>": left != right,
            "!=": left != right,
            "<": sign == "<" and left < right,
            "<=": sign == "<=" and left <= right,
            ">": sign == ">" and left > right,
            ">=": sign == ">=" and left >= right,
        }[sign]
    )


def _within(value: Any, low: Any, high: Any) -> bool | None:
    return _not(_or([_not(_compare(">=", value, low)), _not(_compare("<=", value, high))]))


def _or(values: list[bool | None]) -> bool | None:
    if any(values):
        return True
    return None if None in values else False


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value
