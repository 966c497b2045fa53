"""Numbers of what repeats from record to record: combinations, audiences, measures."""

from __future__ import annotations

import json
import sqlite3

from nearfield.catalogue._combinations import said_of
from nearfield.catalogue._prepared import Measured, Prepared
from nearfield.catalogue._tags import last_part

MAX_KEPT = 200_000
_FIND = {
    "combination": "SELECT id FROM combination WHERE said = ?",
    "audience": "SELECT id FROM audience WHERE said = ?",
    "measure": "SELECT id FROM measure WHERE said = ?",
}
_ADD = {
    "combination": "INSERT INTO combination (said) VALUES (?)",
    "audience": "INSERT INTO audience (said) VALUES (?)",
    "measure": "INSERT INTO measure (said) VALUES (?)",
}


class Numbers:
    """Looks up and makes them. They stay for ever, so that they can be kept in memory.

    After a transaction that was rolled back: :meth:`forget`.
    """

    def __init__(self) -> None:
        self._known: dict[object, int] = {}

    def forget(self) -> None:
        self._known.clear()

    def combination(self, connection: sqlite3.Connection, record: Prepared) -> int:
        """Of the values that facets count."""
        number = self._known.get(record.values)
        if number is None:
            number, new = _number(connection, "combination", said_of(record.values))
            if new:
                names = (*record.values.techniques, *record.values.technique_ids)
                connection.executemany(
                    "INSERT OR IGNORE INTO technique (name) VALUES (?)",
                    [(name.casefold(),) for name in names],
                )
            self._keep(record.values, number)
        return number

    def audience(self, connection: sqlite3.Connection, record: Prepared) -> int:
        """Of those who may see it."""
        number = self._known.get(record.audience)
        if number is None:
            number, new = _number(connection, "audience", json.dumps(record.audience))
            if new:
                connection.execute(
                    "UPDATE audience SET opens = ? WHERE id = ?", (record.opens, number)
                )
                connection.executemany(
                    "INSERT INTO audience_key (key, audience) VALUES (?, ?)",
                    [(key, number) for key in record.audience],
                )
            self._keep(record.audience, number)
        return number

    def measure(self, connection: sqlite3.Connection, one: Measured) -> int:
        """Of a measured value's name and dimension."""
        known = ("measure", one.name, one.dimension)
        number = self._known.get(known)
        if number is None:
            number, new = _number(connection, "measure", json.dumps([one.name, one.dimension]))
            if new:
                connection.execute(
                    "UPDATE measure SET name = ?, path = ?, dimension = ? WHERE id = ?",
                    (last_part(one.name), one.name, one.dimension, number),
                )
            self._keep(known, number)
        return number

    def _keep(self, key: object, number: int) -> None:
        if len(self._known) >= MAX_KEPT:
            self._known.clear()
        self._known[key] = number


def _number(connection: sqlite3.Connection, table: str, said: str) -> tuple[int, bool]:
    """Its number, and whether it is new."""
    found = connection.execute(_FIND[table], (said,)).fetchone()
    if found is not None:
        return int(found[0]), False
    return int(connection.execute(_ADD[table], (said,)).lastrowid or 0), True
