"""The embedded catalogue's file: one writer at a time, several readers, records in and out.

Knows no user: rights are applied by :mod:`nearfield.catalogue.sqlite`, in SQL, on top.
"""

from __future__ import annotations

import gc
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from nearfield.catalogue._backup import copy_file
from nearfield.catalogue._numbers import Numbers
from nearfield.catalogue._prepared import Prepared, prepared
from nearfield.catalogue._records import (
    fetch,
    index,
    is_input,
    put,
    put_all,
    put_rows,
    remove,
)
from nearfield.catalogue._schema import TURN_SECONDS, begin_writing, open_file, reader
from nearfield.catalogue._sqlite_errors import explained
from nearfield.datasets import Dataset

__all__ = ["CatalogueStore", "fetch", "is_input", "put", "remove"]

MAX_IDLE_READERS = 8
BATCH = 8000
BATCH_LENGTH = 16_000_000


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
            begin_writing(self._writer)
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
        and what was written stays written if it is cut short. While SQLite indexes one batch,
        the next is prepared.
        """
        number, source = 0, map(prepared, datasets)
        before: Future[None] | None = None
        with ThreadPoolExecutor(1, "nearfield-load") as beside:
            try:
                while batch := _next_batch(source):
                    if before is not None:
                        before.result()
                        # Whoever waits to write has the file now.
                        time.sleep(TURN_SECONDS)
                    number += len(batch)
                    placed = threading.Event()
                    before = beside.submit(self._write, batch, placed)
                    placed.wait()
            finally:
                if before is not None:
                    before.result()
        return number

    def _write(self, batch: list[Prepared], placed: threading.Event) -> None:
        """One batch, emptied; ``placed`` is set when Python's part of the work is done.

        Rows go from Python to SQLite one by one: two busy threads would only wait for each other.
        """
        try:
            with self.writing() as connection:
                numbers = put_rows(connection, batch, self._numbers)
                batch.clear()
                placed.set()
                index(connection, numbers)
        finally:
            placed.set()

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


def _next_batch(source: Iterator[Prepared]) -> list[Prepared]:
    """So many that they are written within half a second and take little memory."""
    at_work = gc.isenabled()
    # Records hold no cycles: looking through a batch of them for some takes half of the time.
    gc.disable()
    batch: list[Prepared] = []
    length = 0
    try:
        for record in source:
            batch.append(record)
            length += record.length
            if len(batch) >= BATCH or length >= BATCH_LENGTH:
                break
    finally:
        if at_work:
            gc.enable()
    return batch
