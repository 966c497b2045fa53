"""The embedded catalogue's file: one writer at a time, several readers, records in and out.

Knows no user: rights are applied by :mod:`nearfield.catalogue.sqlite`, in SQL, on top.
"""

from __future__ import annotations

import gc
import itertools
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from nearfield.catalogue._backup import copy_file
from nearfield.catalogue._numbers import Numbers
from nearfield.catalogue._prepared import prepared
from nearfield.catalogue._records import fetch, is_input, put, put_all, remove
from nearfield.catalogue._schema import open_file, reader
from nearfield.catalogue._sqlite_errors import explained
from nearfield.datasets import Dataset

__all__ = ["CatalogueStore", "fetch", "is_input", "put", "remove"]

MAX_IDLE_READERS = 8
BATCH = 8000


class CatalogueStore:
    """One catalogue file, shared by all users of this process.

    All methods block: call them in a thread. Raises CatalogueError whatever SQLite's trouble.
    """

    def __init__(self, path: Path, name: str = "embedded", *, create: bool = True) -> None:
        self.path, self.name = Path(path), name
        self._writer = open_file(self.path, create=create)
        self._write_lock = threading.Lock()
        self._numbers = Numbers()
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one read transaction: total and page agree with each other."""
        with explained(self.path):
            try:
                connection = self._readers.get_nowait()
            except Empty:
                connection = reader(self.path)
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
                self._numbers.forget()
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
        records = [prepared(dataset) for dataset in datasets]
        with self.writing() as connection:
            put_all(connection, records, self._numbers)

    def load(self, datasets: Iterable[Dataset]) -> int:
        """Write any number of records, a batch at a time; gives how many there were.

        Each batch is a transaction of its own: others write in between, memory stays bounded,
        and what was written stays written if it is cut short.
        """
        number, source = 0, iter(datasets)
        while True:
            with _collector_at_rest():
                batch = list(itertools.islice(source, BATCH))
                self.register(batch)
            if not batch:
                return number
            number += len(batch)

    def count(self) -> int:
        """How many datasets there are, whoever may see them."""
        with self.reading() as connection:
            (number,) = connection.execute("SELECT count(*) FROM dataset").fetchone()
        return int(number)

    def backup(self, target: Path) -> None:
        """A copy of the file as it is now, while others read and write.

        Raises:
            CatalogueError: ``target`` is there already, or cannot be written.
        """
        copy_file(self.path, target)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Records hold no cycles: looking through a batch of them for some takes half of the time."""
    at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if at_work:
            gc.enable()
