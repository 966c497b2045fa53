"""Measured numbers on their way into the table of quantities, in two steps as records are."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

# So many values make a part: few parts to search, each small enough to write to.
PART = 250_000


def stage(
    connection: sqlite3.Connection, rows: Sequence[tuple[int, int, float, float | None]]
) -> None:
    """Number of the dataset, of the measure, value, and value in base units: set aside."""
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS measured"
        " (id INTEGER, measure INTEGER, value REAL, base REAL)"
    )
    connection.executemany(
        "INSERT INTO temp.measured (id, measure, value, base) VALUES (?, ?, ?, ?)", rows
    )
    if rows:
        connection.execute(
            "INSERT INTO quantity_part (part, number) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET number = number + excluded.number",
            (_part(connection), len(rows)),
        )


def enter(connection: sqlite3.Connection) -> None:
    """All that was set aside, into the table and its indexes."""
    # In the order of the values: each page of the indexes is met once.
    connection.execute(
        "INSERT OR IGNORE INTO quantity (id, measure, value, base, part)"
        " SELECT id, measure, value, base, (SELECT max(part) FROM quantity_part)"
        " FROM temp.measured ORDER BY measure, value, id"
    )
    connection.execute("DELETE FROM temp.measured")


def _part(connection: sqlite3.Connection) -> int:
    """The last one, or after it a new one where that is full."""
    last = connection.execute(
        "SELECT part, number FROM quantity_part ORDER BY part DESC LIMIT 1"
    ).fetchone()
    if last is None:
        return 0
    part, number = last
    return int(part) + int(number >= PART)
