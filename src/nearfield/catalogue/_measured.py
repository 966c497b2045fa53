"""Conditions on measured numbers, as SQL over the table of quantities."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from nearfield.querying import Condition, Query
from nearfield.querying.bounds import interval, is_exact
from nearfield.querying.units import base_value

# A condition that so few datasets satisfy is where a search begins.
FEW = 20_000
# So few are read as a whole.
FEWEST = 500


class Measurement(NamedTuple):
    """One condition; its texts are fixed, what the user gave is in ``values``."""

    subset: str
    """``SELECT`` of the numbers of all that satisfy it."""
    test: str
    """True of ``hit.id`` where it satisfies the condition."""
    values: dict[str, Any]
    number: int
    """How many satisfy it, counted up to :data:`FEW`."""


def measurements(connection: sqlite3.Connection, query: Query) -> Iterator[Measurement]:
    """The conditions on numbers, each looked up once."""
    for number, condition in enumerate(query.conditions):
        if not isinstance(condition.value, str):
            yield _measurement(connection, number, condition, float(condition.value))


def _measurement(
    connection: sqlite3.Connection, number: int, condition: Condition, value: float
) -> Measurement:
    column, dimension = "value", None
    if condition.unit is not None:
        base = base_value(value, condition.unit)
        if base is None:
            # An unknown unit: nothing is comparable.
            return Measurement("SELECT 0 WHERE 0", "0", {}, 0)
        value, dimension = base
        column = "base"
    exact = is_exact(value, condition.unit)
    low, high = interval(condition.op, value, exact=exact)
    least, most = {"<": (">=", "<"), ">": (">", "<=")}.get(condition.op, (">=", "<="))
    fits = (
        f"q.measure IN (SELECT value FROM json_each(:measures{number}))"  # noqa: S608
        f" AND q.{column} {least} :least{number} AND q.{column} {most} :most{number}"
    )
    values = {
        f"measures{number}": json.dumps(_measures(connection, condition.name, dimension)),
        f"least{number}": low,
        f"most{number}": high,
    }
    # The index is named: without statistics SQLite may take the wrong one of two.
    subset = (
        f"SELECT q.id FROM quantity q INDEXED BY quantity_{column}"  # noqa: S608
        f" WHERE q.part IN (SELECT part FROM quantity_part) AND {fits}"
    )
    (count,) = connection.execute(
        f"SELECT count(*) FROM ({subset} LIMIT {FEW})",  # noqa: S608
        values,
    ).fetchone()
    test = f"EXISTS (SELECT 1 FROM quantity q WHERE q.id = hit.id AND {fits})"  # noqa: S608
    return Measurement(subset, test, values, count)


def _measures(connection: sqlite3.Connection, name: str, dimension: str | None) -> list[int]:
    """Numbers of the measures of that name, or with a path that ends in it."""
    rows = connection.execute(
        "SELECT id, dimension FROM measure WHERE name = :name OR path = :name",
        {"name": name.casefold()},
    )
    return [number for number, of in rows if dimension is None or of == dimension]
