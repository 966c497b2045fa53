"""Records in and out of the embedded catalogue's tables, inside the caller's transaction.

Whatever is searched by is made from the record here and nowhere else.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nearfield.catalogue._combinations import combination_of
from nearfield.catalogue._slots import free_number
from nearfield.catalogue._tags import MAX_QUANTITIES, audience_of, last_part, opens_at, tag, tags_of
from nearfield.datasets import Dataset
from nearfield.querying.matching import quantities
from nearfield.querying.times import instant
from nearfield.querying.units import base_value
from nearfield.querying.words import text_of_dataset


def put(connection: sqlite3.Connection, dataset: Dataset, *, request: str | None = None) -> None:
    """Insert or replace one record.

    ``request`` is what a derived dataset was asked for with, to tell a repetition from a clash.
    """
    put_all(connection, [dataset], request=request)


def put_all(
    connection: sqlite3.Connection, datasets: Iterable[Dataset], *, request: str | None = None
) -> None:
    """Insert or replace records; of one PID the last counts. Thousands at once take least time."""
    last = {dataset.pid: dataset for dataset in datasets}
    known = _known(connection, list(last))
    tally: Counter[tuple[int, int]] = Counter()
    if known:
        _unindex(connection, known, tally)
    names = _Numbers(connection)
    rows = sorted(_rows(connection, last.values(), known, names), key=lambda row: row.number)
    old = {pid: number for number, pid, *_ in known}
    connection.executemany(
        "INSERT INTO dataset (id, type, time, instrument, format, owner, public, run_id, request,"
        " combination, audience, pid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(row.number, *row.columns(request)) for row in rows if row.dataset.pid not in old],
    )
    connection.executemany(
        "INSERT INTO record (id, title, rest, tags, document) VALUES (?, ?, ?, ?, ?)",
        [(row.number, *row.content()) for row in rows if row.dataset.pid not in old],
    )
    for row in rows:
        if (number := old.get(row.dataset.pid)) is not None:
            connection.execute(
                "UPDATE dataset SET id = ?, type = ?, time = ?, instrument = ?, format = ?,"
                " owner = ?, public = ?, run_id = ?, request = ?, combination = ?, audience = ?"
                " WHERE pid = ?",
                (row.number, *row.columns(request)),
            )
            connection.execute(
                "UPDATE record SET id = ?, title = ?, rest = ?, tags = ?, document = ?"
                " WHERE id = ?",
                (row.number, *row.content(), number),
            )
    # In the order of their numbers: the full-text index writes a page for each step back.
    connection.executemany(
        "INSERT INTO words (rowid, title, rest, tags) VALUES (?, ?, ?, ?)",
        [(row.number, *row.content()[:3]) for row in rows],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO quantity (id, measure, value, base) VALUES (?, ?, ?, ?)",
        [(row.number, *one) for row in rows for one in row.quantities],
    )
    tally.update((row.combination, row.audience) for row in rows)
    _count(connection, tally)


def remove(connection: sqlite3.Connection, pid: str) -> None:
    """Take one record out."""
    known = _known(connection, [pid])
    if known:
        tally: Counter[tuple[int, int]] = Counter()
        _unindex(connection, known, tally)
        connection.execute("DELETE FROM record WHERE id = ?", (known[0][0],))
        connection.execute("DELETE FROM dataset WHERE id = ?", (known[0][0],))
        _count(connection, tally)


def fetch(connection: sqlite3.Connection, pid: str) -> Dataset | None:
    """One record, whoever may see it."""
    found = connection.execute(
        "SELECT document FROM dataset JOIN record USING (id) WHERE pid = ?", (pid,)
    ).fetchone()
    return None if found is None else Dataset.model_validate_json(found[0])


def is_input(connection: sqlite3.Connection, pid: str) -> bool:
    """Is any dataset derived from this one?"""
    found = connection.execute(
        "SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (f'tags : "{tag("input", pid)}"',)
    )
    return found.fetchone() is not None


@dataclass(slots=True)
class _Row:
    number: int
    dataset: Dataset
    time: float | None
    combination: int
    audience: int
    quantities: list[tuple[int, float, float | None]]
    _content: tuple[str, str, str, str] | None = None

    def columns(self, request: str | None) -> tuple[object, ...]:
        one = self.dataset
        return (
            one.type,
            self.time,
            one.instrument,
            one.format,
            one.access.owner,
            one.access.public,
            one.run_id,
            request,
            self.combination,
            self.audience,
            one.pid,
        )

    def content(self) -> tuple[str, str, str, str]:
        if self._content is None:
            document = self.dataset.model_dump_json(exclude_defaults=True)
            self._content = (*text_of_dataset(self.dataset), tags_of(self.dataset), document)
        return self._content


class _Numbers:
    """Numbers of what repeats from record to record, looked up once in a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, ...], int] = {}

    def combination(self, dataset: Dataset) -> int:
        said = combination_of(dataset)
        known = ("combination", said)
        if known not in self._known:
            self._known[known], new = self._number("combination", said)
            if new:
                self._connection.executemany(
                    "INSERT OR IGNORE INTO technique (name) VALUES (?)",
                    [(n.casefold(),) for n in (*dataset.techniques, *dataset.technique_ids)],
                )
        return self._known[known]

    def audience(self, dataset: Dataset) -> int:
        keys = audience_of(dataset.access)
        known = ("audience", *keys)
        if known not in self._known:
            number, new = self._number("audience", json.dumps(keys))
            if new:
                self._connection.execute(
                    "UPDATE audience SET opens = ? WHERE id = ?", (opens_at(dataset.access), number)
                )
                self._connection.executemany(
                    "INSERT INTO audience_key (key, audience) VALUES (?, ?)",
                    [(key, number) for key in keys],
                )
            self._known[known] = number
        return self._known[known]

    def measure(self, name: str, dimension: str | None) -> int:
        """A measured value's name, and its dimension: ``None`` where its unit is unknown."""
        known = ("measure", name, repr(dimension))
        if known not in self._known:
            number, new = self._number("measure", json.dumps([name, dimension]))
            if new:
                self._connection.execute(
                    "UPDATE measure SET name = ?, path = ?, dimension = ? WHERE id = ?",
                    (last_part(name), name, dimension, number),
                )
            self._known[known] = number
        return self._known[known]

    def _number(self, table: str, said: str) -> tuple[int, bool]:
        found = self._connection.execute(_FIND[table], (said,)).fetchone()
        if found is not None:
            return int(found[0]), False
        return int(self._connection.execute(_ADD[table], (said,)).lastrowid or 0), True


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
_Known = list[tuple[int, str, float | None, int, int]]


def _known(connection: sqlite3.Connection, pids: Sequence[str]) -> _Known:
    """Number, PID, time, combination and audience of those that are there."""
    return connection.execute(
        "SELECT d.id, d.pid, d.time, d.combination, d.audience FROM json_each(?) asked"
        " JOIN dataset d ON d.pid = asked.value",
        (json.dumps(pids),),
    ).fetchall()


def _rows(
    connection: sqlite3.Connection,
    datasets: Iterable[Dataset],
    known: _Known,
    names: _Numbers,
) -> Iterable[_Row]:
    before = {pid: (number, time) for number, pid, time, *_ in known}
    given: set[int] = set()

    def taken(number: int) -> bool:
        if number in given:
            return True
        found = connection.execute("SELECT 1 FROM dataset WHERE id = ?", (number,)).fetchone()
        return found is not None

    for dataset in datasets:
        said = dataset.start_time or dataset.created
        time = None if said is None else instant(said)
        old = before.get(dataset.pid)
        # As long as the time stays the place in the order does.
        if old is not None and old[1] == time:
            number = old[0]
        else:
            number = free_number(dataset.pid, time, taken)
        given.add(number)
        yield _Row(
            number,
            dataset,
            time,
            names.combination(dataset),
            names.audience(dataset),
            list(_quantities(dataset, names)),
        )


def _quantities(dataset: Dataset, names: _Numbers) -> Iterable[tuple[int, float, float | None]]:
    for number, (name, value, unit) in enumerate(quantities(dataset.scientific)):
        if number >= MAX_QUANTITIES:
            return
        if not isinstance(value, str):
            base = base_value(value, unit)
            if base is None:
                yield names.measure(name, None), float(value), None
            else:
                yield names.measure(name, base[1]), float(value), base[0]


def _unindex(
    connection: sqlite3.Connection, known: _Known, tally: Counter[tuple[int, int]]
) -> None:
    """Out of all indexes, while the old record is still there to tell what was indexed."""
    numbers = [(number,) for number, *_ in known]
    connection.executemany("DELETE FROM words WHERE rowid = ?", numbers)
    connection.executemany("DELETE FROM quantity WHERE id = ?", numbers)
    tally.subtract((combination, audience) for *_, combination, audience in known)


def _count(connection: sqlite3.Connection, tally: Counter[tuple[int, int]]) -> None:
    """Keep how many datasets there are of each combination for each audience."""
    connection.executemany(
        "INSERT INTO tally (audience, combination, number) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET number = number + excluded.number",
        [(audience, kind, number) for (kind, audience), number in tally.items() if number],
    )
