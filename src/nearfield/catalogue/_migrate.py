"""From an older layout to this one: the same records, other words or tables to find them by.

All of it happens in one transaction, or nothing; a copy of the old file stays beside it.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from pathlib import Path

from pydantic import ValidationError

from nearfield.catalogue._backup import copy_file
from nearfield.catalogue._measuring import enter, stage
from nearfield.catalogue._numbers import Numbers
from nearfield.catalogue._prepared import prepared
from nearfield.catalogue._records import put_all
from nearfield.catalogue._tables import QUANTITY_TABLES, SCHEMA_VERSION, TABLES, mark, statements
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueError

_BATCH = 2000
_OLD = ("dataset", "record")
_GONE = ("dataset_group", "dataset_technique", "dataset_input", "words")


def copy_of(path: Path, version: int) -> Path:
    """Where the file of the old layout is kept."""
    return path.with_name(f"{path.name}.layout{version}")


def keep_copy(path: Path, version: int) -> None:
    """Keep the old file; one that was kept before is not touched.

    Raises:
        CatalogueError: it cannot be written. Nothing was changed then.
    """
    target = copy_of(path, version)
    if target.exists():
        return
    try:
        copy_file(path, target)
    except CatalogueError:
        # Another process opens the same file at this moment, and was faster.
        if not target.exists():
            raise


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of an older layout to this one, inside the caller's transaction."""
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        # Whoever made one makes it again; none may count the move as a change of records.
        quoted = str(name).replace('"', '""')
        connection.execute(f'DROP TRIGGER "{quoted}"')
    if version == 1:
        _remake(connection)
    else:
        _part(connection)
        _retag(connection, version)
    mark(connection)


def _part(connection: sqlite3.Connection) -> None:
    """From layouts 2 and 3: all measured values were in one part, and fewer units were known."""
    connection.execute("DROP TABLE quantity")
    for statement in statements(QUANTITY_TABLES):
        connection.execute(statement)


def _retag(connection: sqlite3.Connection, version: int) -> None:
    """From layouts 2 and 3: samples and the like, and DOIs, were found as a whole only.

    The measured values are entered again.
    """
    numbers, last = Numbers(), -1
    while rows := connection.execute(
        "SELECT id, tags, document FROM record WHERE id > ? ORDER BY id LIMIT ?", (last, _BATCH)
    ).fetchall():
        fresh = [(number, old, prepared(_dataset(text, version))) for number, old, text in rows]
        connection.executemany(
            "UPDATE record SET tags = ? WHERE id = ?",
            [(made.texts[2], number) for number, old, made in fresh if made.texts[2] != old],
        )
        measured = [
            (number, numbers.measure(connection, one), one.value, one.base)
            for number, _, made in fresh
            for one in made.measured
        ]
        stage(connection, measured)
        enter(connection)
        last = rows[-1][0]
    connection.execute("INSERT INTO words (words) VALUES ('rebuild')")


def _remake(connection: sqlite3.Connection) -> None:
    """From layout 1."""
    for name in _GONE:
        connection.execute(f"DROP TABLE {name}")
    for name in _OLD:
        connection.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    for index in ("dataset_newest", "dataset_instrument"):
        connection.execute(f"DROP INDEX {index}")
    for statement in statements(TABLES + QUANTITY_TABLES):
        connection.execute(statement)
    rows = connection.execute(
        "SELECT d.request, r.document FROM old_dataset d JOIN old_record r USING (id)"
        " ORDER BY d.time DESC, d.id"
    )
    numbers = Numbers()
    while batch := list(itertools.islice(rows, _BATCH)):
        put_all(
            connection, [prepared(_dataset(text, 1), request) for request, text in batch], numbers
        )
    for name in _OLD:
        connection.execute(f"DROP TABLE old_{name}")


def _dataset(document: str, version: int) -> Dataset:
    try:
        return Dataset.model_validate_json(document)
    except ValidationError as error:
        pid = re.search(r'"pid":"([^"]{1,400})"', document)
        raise CatalogueError(
            f"the catalogue is of layout {version} and cannot be brought to layout"
            f" {SCHEMA_VERSION}: the record {pid[1] if pid else document[:80]!r} cannot be read",
            hint="it was not changed; use the version of nearfield that wrote it, or scan again"
            " into a new file",
        ) from error
