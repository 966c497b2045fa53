"""How the embedded catalogue's file is opened, and brought to the layout of today.

A file is recognised by SQLite's ``application_id``, its layout by ``user_version``: a database
of another program is never written to, one of a newer Nearfield never misread.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from nearfield.catalogue._migrate import keep_copy, migrate
from nearfield.catalogue._sqlite_errors import BUSY_SECONDS, explained
from nearfield.catalogue._tables import APPLICATION_ID, SCHEMA_VERSION, create
from nearfield.errors import CatalogueError

# Enough for what one search touches; the import's share of 300 MB.
CACHE_KIB = 32 * 1024
MMAP_BYTES = 1 << 30
LOG_PAGES = 32_000
# Longer than any wait between two tries of `begin_writing`.
TURN_SECONDS = 0.02


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun in so many words."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    # Pages that several transactions change are written once.
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    return connection


def begin_writing(connection: sqlite3.Connection) -> None:
    """Begin a write transaction, waiting for others that write.

    SQLite's own waits grow to 100 ms: a load, which leaves the file to others for
    :data:`TURN_SECONDS` between two transactions, would be missed. These are of 17 ms at most.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    connection.execute("PRAGMA busy_timeout = 50")
    try:
        while True:
            try:
                # IMMEDIATE: wait for the other writer now, not with half of the work done.
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def reader(path: Path) -> sqlite3.Connection:
    """A connection for searches, with the list of the words that there are."""
    connection = connect(path)
    # The system's own cache of the file: one copy for all readers.
    connection.execute(f"PRAGMA mmap_size = {MMAP_BYTES}")
    connection.execute(
        "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words, instance)"
    )
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
    version = _version(connection, path)
    if version == SCHEMA_VERSION:
        return
    if version == 0:
        _keep_a_log(connection)
    else:
        keep_copy(path, version)
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster.
        version = _version(connection, path)
        if version == 0:
            create(connection)
        elif version < SCHEMA_VERSION:
            migrate(connection, version)
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
