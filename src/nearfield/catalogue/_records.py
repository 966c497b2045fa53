"""Records in and out of the embedded catalogue's tables, inside the caller's transaction.

Whatever is searched by is made from the record here and nowhere else.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nearfield.catalogue._measuring import enter, stage
from nearfield.catalogue._numbers import Numbers
from nearfield.catalogue._prepared import Prepared, prepared
from nearfield.catalogue._slots import number_at
from nearfield.catalogue._tags import tag
from nearfield.datasets import Dataset
from nearfield.querying.pids import doi_of

MAX_OF_A_DOI = 20


def put(connection: sqlite3.Connection, dataset: Dataset, *, request: str | None = None) -> None:
    """Insert or replace one record.

    ``request`` is what a derived dataset was asked for with, to tell a repetition from a clash.
    """
    put_all(connection, [prepared(dataset, request)], Numbers())


def put_all(connection: sqlite3.Connection, records: Iterable[Prepared], numbers: Numbers) -> None:
    """Insert or replace records; of one PID the last counts. Thousands at once take least time."""
    index(connection, put_rows(connection, records, numbers))


def put_rows(
    connection: sqlite3.Connection, records: Iterable[Prepared], numbers: Numbers
) -> list[int]:
    """The first half of :func:`put_all`: rows, one by one; gives their numbers for the second."""
    last = {record.pid: record for record in records}
    known = _known(connection, list(last))
    tally: Counter[tuple[int, int]] = Counter()
    if known:
        _unindex(connection, known, tally)
    rows = _placed(connection, last, known)
    numbered = [
        (
            number,
            record,
            numbers.combination(connection, record),
            numbers.audience(connection, record),
        )
        for number, record in rows
    ]
    fresh = [one for one in numbered if one[1].pid not in known]
    connection.executemany(
        "INSERT INTO dataset (id, type, time, instrument, format, owner, public, run_id, request,"
        " pid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(number, *record.columns) for number, record, *_ in fresh],
    )
    connection.executemany(
        "INSERT INTO record (id, title, rest, tags, document) VALUES (?, ?, ?, ?, ?)",
        [(number, *record.texts, record.document) for number, record, *_ in fresh],
    )
    for number, record, *_ in numbered if known else ():
        if record.pid in known:
            connection.execute(
                "UPDATE dataset SET id = ?, type = ?, time = ?, instrument = ?, format = ?,"
                " owner = ?, public = ?, run_id = ?, request = ?, pid = ?"
                " WHERE id = ?",
                (number, *record.columns, known[record.pid].number),
            )
            connection.execute(
                "UPDATE record SET id = ?, title = ?, rest = ?, tags = ?, document = ?"
                " WHERE id = ?",
                (number, *record.texts, record.document, known[record.pid].number),
            )
    connection.executemany(
        "INSERT INTO kind (id, combination, audience) VALUES (?, ?, ?)",
        [(number, kind, audience) for number, _, kind, audience in numbered],
    )
    stage(
        connection,
        [
            (number, numbers.measure(connection, one), one.value, one.base)
            for number, record in rows
            for one in record.measured
        ],
    )
    tally.update((kind, audience) for _, _, kind, audience in numbered)
    _count(connection, tally)
    return [number for number, _ in rows]


def index(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """The second half: what searches go through. SQLite alone works, other threads run freely."""
    # In the order of their numbers: the full-text index writes a page for each step back.
    connection.execute(
        "INSERT INTO words (rowid, title, rest, tags) SELECT r.id, r.title, r.rest, r.tags"
        " FROM json_each(?) placed CROSS JOIN record r ON r.id = placed.value",
        (json.dumps(numbers),),
    )
    enter(connection)


def remove(connection: sqlite3.Connection, pid: str) -> None:
    """Take one record out."""
    known = _known(connection, [pid])
    if known:
        tally: Counter[tuple[int, int]] = Counter()
        _unindex(connection, known, tally)
        connection.execute("DELETE FROM record WHERE id = ?", (known[pid].number,))
        connection.execute("DELETE FROM dataset WHERE id = ?", (known[pid].number,))
        _count(connection, tally)


def fetch(connection: sqlite3.Connection, pid: str) -> Dataset | None:
    """One record, whoever may see it."""
    found = connection.execute(
        "SELECT document FROM dataset JOIN record USING (id) WHERE pid = ?", (pid,)
    ).fetchone()
    return None if found is None else Dataset.model_validate_json(found[0])


def with_doi(connection: sqlite3.Connection, name: str) -> Iterator[Dataset]:
    """Records of this DOI, however it is written, whoever may see them; of any other name none."""
    doi = doi_of(name)
    if doi is None:
        return
    rows = connection.execute(
        "SELECT r.document FROM words w CROSS JOIN record r ON r.id = w.rowid"
        " WHERE words MATCH ? ORDER BY w.rowid LIMIT ?",
        (f'tags : "{tag("doi", doi)}"', MAX_OF_A_DOI),
    )
    for (document,) in rows:
        yield Dataset.model_validate_json(document)


def is_input(connection: sqlite3.Connection, pid: str) -> bool:
    """Is any dataset derived from this one?"""
    found = connection.execute(
        "SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (f'tags : "{tag("input", pid)}"',)
    )
    return found.fetchone() is not None


# No audience has this number.
EVERYBODY = 0


class _Place(NamedTuple):
    """Where a record is."""

    number: int
    time: float | None
    combination: int
    audience: int


def _known(connection: sqlite3.Connection, pids: Sequence[str]) -> dict[str, _Place]:
    """Those that are there, by PID."""
    rows = connection.execute(
        "SELECT d.pid, d.id, d.time, k.combination, k.audience FROM json_each(?) asked"
        " CROSS JOIN dataset d ON d.pid = asked.value CROSS JOIN kind k ON k.id = d.id",
        (json.dumps(pids),),
    )
    return {pid: _Place(*place) for pid, *place in rows}


def _placed(
    connection: sqlite3.Connection, records: dict[str, Prepared], known: dict[str, _Place]
) -> list[tuple[int, Prepared]]:
    """Each with its number, in their order; as long as a time stays, its number does."""
    placed: dict[int, Prepared] = {}
    waiting: list[Prepared] = []
    for pid, record in records.items():
        place = known.get(pid)
        if place is not None and place.time == record.time:
            placed[place.number] = record
        else:
            waiting.append(record)
    attempt = 0
    while waiting:
        wanted = [
            (number_at(record.pid, record.time, attempt) if attempt else record.number, record)
            for record in waiting
        ]
        rows = connection.execute(
            "SELECT d.id FROM json_each(?) asked CROSS JOIN dataset d ON d.id = asked.value",
            (json.dumps([number for number, _ in wanted]),),
        )
        taken, waiting = {number for (number,) in rows}, []
        for number, record in wanted:
            if number in taken or number in placed:
                waiting.append(record)
            else:
                placed[number] = record
        attempt += 1
    return sorted(placed.items())


def _unindex(
    connection: sqlite3.Connection, known: dict[str, _Place], tally: Counter[tuple[int, int]]
) -> None:
    """Out of all indexes, while the old record is still there to tell what was indexed."""
    numbers = sorted((place.number,) for place in known.values())
    connection.executemany("DELETE FROM words WHERE rowid = ?", numbers)
    connection.executemany("DELETE FROM quantity WHERE id = ?", numbers)
    connection.executemany("DELETE FROM kind WHERE id = ?", numbers)
    tally.subtract((place.combination, place.audience) for place in known.values())


def _count(connection: sqlite3.Connection, tally: Counter[tuple[int, int]]) -> None:
    """Keep how many datasets there are of each combination, for each audience and in all."""
    for (kind, _), number in tuple(tally.items()):
        tally[kind, EVERYBODY] += number
    connection.executemany(
        "INSERT INTO tally (audience, combination, number) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET number = number + excluded.number",
        [(audience, kind, number) for (kind, audience), number in tally.items() if number],
    )
