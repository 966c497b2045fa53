"""The tables of the embedded catalogue, and how its file is opened.

A file is recognised by SQLite's ``application_id``, its layout by ``user_version``: a database
of another program is never written to, one of a newer Nearfield never misread.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearfield.errors import CatalogueError, CatalogueUnavailableError

APPLICATION_ID = 0x4E664C64  # "NfLd"
SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0

# `dataset` holds what is searched and ordered by; whole records are apart, so that counting
# and paging never read them.
_TABLES = """
CREATE TABLE dataset (
    id INTEGER PRIMARY KEY,
    pid TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    time REAL,
    instrument TEXT,
    format TEXT,
    owner TEXT,
    public INTEGER NOT NULL,
    run_id TEXT UNIQUE,
    request TEXT
);
CREATE INDEX dataset_newest ON dataset (time DESC, pid);
CREATE INDEX dataset_instrument ON dataset (instrument);
CREATE TABLE record (id INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE dataset_group (
    name TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (name, id)
) WITHOUT ROWID;
CREATE TABLE dataset_technique (
    name TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (name, id)
) WITHOUT ROWID;
CREATE TABLE dataset_input (
    pid TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (pid, id)
) WITHOUT ROWID;
CREATE INDEX group_of ON dataset_group (id);
CREATE INDEX technique_of ON dataset_technique (id);
CREATE INDEX input_of ON dataset_input (id);
CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "unicode61 remove_diacritics 2");
CREATE TABLE scanned_file (
    path TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    links TEXT NOT NULL,
    reading TEXT,
    error TEXT
) WITHOUT ROWID;
CREATE TABLE scanned_dataset (
    root TEXT PRIMARY KEY,
    pid TEXT NOT NULL,
    state TEXT NOT NULL,
    problems TEXT NOT NULL
) WITHOUT ROWID;
"""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors as ours: which file, what happened, what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(path, error) from error


def explain(path: Path, error: sqlite3.Error) -> CatalogueError:
    """The error for a person."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return CatalogueUnavailableError(
            f"catalogue {path}: another process has been writing for {BUSY_SECONDS:.0f} s",
            hint="try again later",
        )
    if name.startswith("SQLITE_FULL"):
        return CatalogueError(
            f"catalogue {path}: the disk is full",
            hint="free some space and run the command again: nothing of it is half-done",
        )
    if name.startswith("SQLITE_NOTADB"):
        return CatalogueError(
            f"catalogue {path}: not a catalogue file",
            hint="name another file with --catalogue, or catalogue.path in nearfield.yaml",
        )
    if name.startswith("SQLITE_CORRUPT"):
        return CatalogueError(
            f"catalogue {path}: the file is damaged",
            hint="restore it from a copy, or move it away and scan again",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return CatalogueError(
            f"catalogue {path}: not writable", hint="check the permissions of file and folder"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return CatalogueError(
            f"catalogue {path}: cannot be opened",
            hint="check that its folder exists and that you may write there",
        )
    return CatalogueError(f"catalogue {path}: {error}")


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun in so many words."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def open_file(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open a catalogue file, creating it where allowed.

    Raises:
        CatalogueError: no such file (without ``create``), not a catalogue, written by a newer
            version, or not accessible.
    """
    _check_place(path, create=create)
    with explained(path):
        connection = connect(path)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _check_place(path: Path, *, create: bool) -> None:
    try:
        if path.is_dir():
            raise CatalogueError(f"catalogue {path}: is a folder", hint="name a file")
        if not path.exists():
            if not create:
                raise CatalogueError(
                    f"there is no catalogue at {path}",
                    hint="make one: nearfield catalogue scan DIR --catalogue FILE",
                )
            # Metadata of private data: the folder and file are the owner's alone.
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
    except OSError as error:
        taken = isinstance(error, FileExistsError | NotADirectoryError)
        why = f"{path.parent} is not a folder" if taken else error.strerror
        raise CatalogueError(
            f"catalogue {path}: {why}", hint="name another file with --catalogue"
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection, path) == 0:
        _keep_a_log(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster.
            if _version(connection, path) == 0:
                for statement in _TABLES.split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, however many try it at once.

    SQLite does not wait for the lock of this statement where two hold a read lock already: one
    of them is told "busy" at once, so the waiting is done here.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The layout of the file; 0 for an empty one."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID:
        if tables or application:
            raise CatalogueError(
                f"catalogue {path}: an SQLite database of another program",
                hint="name another file: this one was not touched",
            )
        return 0
    if version > SCHEMA_VERSION:
        raise CatalogueError(
            f"catalogue {path}: written by a newer Nearfield "
            f"(layout {version}, this one knows {SCHEMA_VERSION})",
            hint="upgrade nearfield, or name another file",
        )
    return int(version)
