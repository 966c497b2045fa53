"""A query, with the rights of one user, as SQL over the embedded catalogue's tables."""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nearfield.catalogue._match import Matcher, all_of, tagged
from nearfield.catalogue._slots import window
from nearfield.catalogue._tags import keys_of
from nearfield.datasets import Principal
from nearfield.querying import Condition, Query
from nearfield.querying.times import instant
from nearfield.querying.units import base_value

# With more keys than this, rights are looked up row by row.
MAX_KEYS = 64
# A condition that so few datasets satisfy is where a search begins.
FEW = 20_000


@dataclass(slots=True)
class Selection:
    """Parts of a statement that gives numbers of datasets, the newest first.

    Every value of a user's is a parameter; the texts are fixed.
    """

    matches: list[str]
    """What the full-text search must find, the best first; empty: it is not needed."""
    where: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    by_row: bool = False
    """Is the row of ``dataset`` needed, as ``d``?"""

    def only(self, pids: Sequence[str]) -> None:
        """Nothing but these."""
        identity = "w.rowid" if self.matches else "d.id"
        self.where.append(
            f"{identity} IN (SELECT id FROM dataset WHERE pid IN"  # noqa: S608
            " (SELECT value FROM json_each(:pids)))"
        )
        self.values["pids"] = json.dumps(list(pids))

    def statement(self, tier: int = 0) -> tuple[str, dict[str, Any]]:
        """``SELECT`` of the numbers, without order or limit; they come in their order."""
        values = {"low": 0, "high": sys.maxsize, **self.values}
        if not self.matches:
            where = ["d.id BETWEEN :low AND :high", *self.where]
            return f"SELECT d.id FROM dataset d WHERE {' AND '.join(where)} ORDER BY d.id", values  # noqa: S608
        where = ["words MATCH :match", "w.rowid BETWEEN :low AND :high", *self.where]
        # CROSS JOIN keeps the order: the index gives its hits from the newest on.
        row = " CROSS JOIN dataset d ON d.id = w.rowid" if self.by_row else ""
        values["match"] = self.matches[tier]
        return (
            f"SELECT w.rowid AS id FROM words w{row} WHERE {' AND '.join(where)}"  # noqa: S608
            " ORDER BY w.rowid",
            values,
        )


def select(connection: sqlite3.Connection, query: Query, user: Principal, now: float) -> Selection:
    """What ``user`` may see of what matches."""
    found = Selection([])
    matcher = Matcher(connection, query)
    parts = matcher.fields()
    key = _rights(connection, found, user, now)
    if key is not None:
        parts.append(key)
    if query.order == "relevance":
        found.matches = [
            " AND ".join([f"({tier})", *(f"({part})" for part in parts)])
            for tier in matcher.tiers()
        ]
    if not found.matches:
        whole = all_of([*matcher.text(), *parts])
        found.matches = [] if whole is None else [whole]
    _times(found, query)
    identity = "w.rowid" if found.matches else "d.id"
    for number, condition in enumerate(query.conditions):
        _measured(connection, found, identity, number, condition)
    return found


def visible_audiences(
    connection: sqlite3.Connection, user: Principal, now: float
) -> list[int] | None:
    """The audiences that ``user`` is one of; ``None`` for all of them."""
    if user.admin:
        return None
    rows = connection.execute(
        "SELECT audience FROM audience_key WHERE key IN (SELECT value FROM json_each(?))"
        " UNION SELECT id FROM audience WHERE opens <= ?",
        (json.dumps(keys_of(user)), now),
    )
    return [number for (number,) in rows]


def _rights(
    connection: sqlite3.Connection, found: Selection, user: Principal, now: float
) -> str | None:
    """Words of which a hit must have one; with very many, a condition on its row instead."""
    if user.admin:
        return None
    keys = [
        key
        for (key,) in connection.execute(
            "SELECT DISTINCT k.key FROM json_each(?) held JOIN audience_key k ON k.key = held.value"
            " UNION SELECT k.key FROM audience a JOIN audience_key k"
            " ON k.audience = a.id AND substr(k.key, 1, 1) = 'e' WHERE a.opens <= ? LIMIT ?",
            (json.dumps(keys_of(user)), now, MAX_KEYS + 1),
        )
    ]
    if len(keys) <= MAX_KEYS:
        return tagged("access", keys)
    found.by_row = True
    found.where.append("d.audience IN (SELECT value FROM json_each(:audiences))")
    found.values["audiences"] = json.dumps(visible_audiences(connection, user, now))
    return None


def _times(found: Selection, query: Query) -> None:
    since = None if query.since is None else instant(query.since)
    until = None if query.until is None else instant(query.until)
    if since is None and until is None:
        return
    # The numbers bring it near, the time itself decides.
    found.values["low"], found.values["high"] = window(since, until)
    found.by_row = True
    found.where += ["d.time >= :since"] if since is not None else []
    found.where += ["d.time <= :until"] if until is not None else []
    found.values |= {"since": since, "until": until}


def _measured(
    connection: sqlite3.Connection,
    found: Selection,
    identity: str,
    number: int,
    condition: Condition,
) -> None:
    """A condition on a measured number; texts are words of the index."""
    if isinstance(condition.value, str):
        return
    value, column, dimension = float(condition.value), "value", None
    if condition.unit is not None:
        base = base_value(value, condition.unit)
        if base is None:
            found.where.append("0")
            return
        value, dimension = base
        column = "base"
    measures = _measures(connection, condition.name.casefold(), dimension)
    low, high = _range(condition.op, value)
    bounds = {"<": (">=", "<"), ">": (">", "<=")}.get(condition.op, (">=", "<="))
    names = {name: f"{name}{number}" for name in ("measures", "least", "most")}
    fits = (
        f"q.measure IN (SELECT value FROM json_each(:{names['measures']}))"  # noqa: S608
        f" AND q.{column} {bounds[0]} :{names['least']} AND q.{column} {bounds[1]} :{names['most']}"
    )
    found.values |= {
        names["measures"]: json.dumps(measures),
        names["least"]: low,
        names["most"]: high,
    }
    index = f"quantity_{column}"
    (few,) = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM quantity q INDEXED BY {index}"  # noqa: S608
        f" WHERE {fits} LIMIT {FEW})",
        found.values,
    ).fetchone()
    if few < FEW:
        # Unary plus: a test of what is found otherwise; not found by it one by one.
        plus = "+" if found.matches else ""
        found.where.append(
            f"{plus}{identity} IN (SELECT q.id FROM quantity q INDEXED BY {index} WHERE {fits})"  # noqa: S608
        )
    else:
        found.where.append(
            f"EXISTS (SELECT 1 FROM quantity q WHERE q.id = {identity} AND {fits})"  # noqa: S608
        )


def _measures(connection: sqlite3.Connection, name: str, dimension: str | None) -> list[int]:
    """Numbers of the measures of that name, or with a path that ends in it."""
    rows = connection.execute(
        "SELECT id, dimension FROM measure WHERE (name = :name OR path = :name)", {"name": name}
    )
    return [number for number, of in rows if dimension is None or of == dimension]


def _range(op: str, value: float) -> tuple[float, float]:
    """Least and most; for equality within the millionth that counts as equal."""
    if op == "=":
        # As math.isclose with rel_tol: of the larger one.
        ends = (value * (1 - 1e-6), value / (1 - 1e-6))
        return min(ends), max(ends)
    return (-math.inf, value) if op in ("<", "<=") else (value, math.inf)
