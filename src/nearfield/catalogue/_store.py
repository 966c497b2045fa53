"""The embedded catalogue's file: one writer at a time, several readers, records in and out.

Knows no user: rights are applied by :mod:`nearfield.catalogue.sqlite`, in SQL, on top.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from nearfield.catalogue._schema import connect, explained, open_file
from nearfield.datasets import Dataset
from nearfield.querying.times import instant
from nearfield.querying.words import text_of_dataset

MAX_IDLE_READERS = 4


class CatalogueStore:
    """One catalogue file, shared by all users of this process.

    All methods block: call them in a thread. Raises CatalogueError whatever SQLite's trouble.
    """

    def __init__(self, path: Path, name: str = "embedded", *, create: bool = True) -> None:
        self.path, self.name = Path(path), name
        self._writer = open_file(self.path, create=create)
        self._write_lock = threading.Lock()
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one read transaction: total and page agree with each other."""
        with explained(self.path):
            try:
                connection = self._readers.get_nowait()
            except Empty:
                connection = connect(self.path)
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if self._closed or self._readers.qsize() >= MAX_IDLE_READERS:
                    connection.close()
                else:
                    self._readers.put(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one write transaction: all of it happens, or nothing."""
        with self._write_lock, explained(self.path):
            # IMMEDIATE: wait for the other writer now, not with half of the work done.
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        while True:
            try:
                self._readers.get_nowait().close()
            except Empty:
                break
        with self._write_lock:
            self._writer.close()

    def register(self, datasets: Iterable[Dataset]) -> None:
        """Write records, replacing those of the same PID, in one transaction."""
        with self.writing() as connection:
            for dataset in datasets:
                put(connection, dataset)

    def count(self) -> int:
        """How many datasets there are, whoever may see them."""
        with self.reading() as connection:
            (number,) = connection.execute("SELECT count(*) FROM dataset").fetchone()
        return int(number)


def put(connection: sqlite3.Connection, dataset: Dataset, *, request: str | None = None) -> None:
    """Insert or replace one record inside the caller's transaction.

    ``request`` is what a derived dataset was asked for with, to tell a repetition from a clash.
    """
    time = dataset.start_time or dataset.created
    row = (
        dataset.type,
        None if time is None else instant(time),
        dataset.instrument,
        dataset.format,
        dataset.access.owner,
        dataset.access.public,
        dataset.run_id,
        request,
    )
    known = connection.execute("SELECT id FROM dataset WHERE pid = ?", (dataset.pid,)).fetchone()
    if known is None:
        cursor = connection.execute(
            "INSERT INTO dataset (type, time, instrument, format, owner, public, run_id, request,"
            " pid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, dataset.pid),
        )
        key = cursor.lastrowid
    else:
        (key,) = known
        connection.execute(
            "UPDATE dataset SET type = ?, time = ?, instrument = ?, format = ?, owner = ?,"
            " public = ?, run_id = ?, request = ? WHERE id = ?",
            (*row, key),
        )
        _forget_details(connection, key)
    connection.execute(
        "INSERT INTO record (id, document) VALUES (?, ?)", (key, dataset.model_dump_json())
    )
    connection.execute(
        "INSERT INTO words (rowid, text) VALUES (?, ?)", (key, "\n".join(text_of_dataset(dataset)))
    )
    _put_names(
        connection,
        "dataset_group",
        key,
        {dataset.access.owner_group, *dataset.access.access_groups},
    )
    _put_names(connection, "dataset_technique", key, set(dataset.techniques))
    connection.executemany(
        "INSERT INTO dataset_input (pid, id) VALUES (?, ?)",
        [(pid, key) for pid in dict.fromkeys(dataset.input_datasets)],
    )


def remove(connection: sqlite3.Connection, pid: str) -> None:
    """Take one record out, inside the caller's transaction."""
    known = connection.execute("SELECT id FROM dataset WHERE pid = ?", (pid,)).fetchone()
    if known is not None:
        _forget_details(connection, known[0])
        connection.execute("DELETE FROM dataset WHERE id = ?", known)


def fetch(connection: sqlite3.Connection, pid: str) -> Dataset | None:
    """One record, whoever may see it."""
    found = connection.execute(
        "SELECT document FROM dataset JOIN record USING (id) WHERE pid = ?", (pid,)
    ).fetchone()
    return None if found is None else Dataset.model_validate_json(found[0])


def is_input(connection: sqlite3.Connection, pid: str) -> bool:
    """Is any dataset derived from this one?"""
    return (
        connection.execute("SELECT 1 FROM dataset_input WHERE pid = ? LIMIT 1", (pid,)).fetchone()
        is not None
    )


def json_list(values: Sequence[str] | frozenset[str]) -> str:
    """Values for SQLite's ``json_each``: a list of any length in one parameter."""
    return json.dumps(sorted(values))


_DETAILS = (
    "DELETE FROM record WHERE id = ?",
    "DELETE FROM words WHERE rowid = ?",
    "DELETE FROM dataset_group WHERE id = ?",
    "DELETE FROM dataset_technique WHERE id = ?",
    "DELETE FROM dataset_input WHERE id = ?",
)
_PUT_NAME = {
    "dataset_group": "INSERT INTO dataset_group (name, id) VALUES (?, ?)",
    "dataset_technique": "INSERT INTO dataset_technique (name, id) VALUES (?, ?)",
}


def _forget_details(connection: sqlite3.Connection, key: int) -> None:
    for statement in _DETAILS:
        connection.execute(statement, (key,))


def _put_names(
    connection: sqlite3.Connection, table: str, key: int | None, names: set[str | None]
) -> None:
    connection.executemany(_PUT_NAME[table], [(name, key) for name in names if name is not None])
