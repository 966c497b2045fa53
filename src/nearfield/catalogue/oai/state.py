"""What a file remembers of harvests: how far each one is, and which records came from where."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from urllib.parse import urlsplit

from nearfield.catalogue._store import CatalogueStore

_TABLES = """
CREATE TABLE IF NOT EXISTS harvest (
    url TEXT NOT NULL,
    format TEXT NOT NULL,
    part TEXT NOT NULL,
    done TEXT,
    began TEXT,
    since TEXT,
    token TEXT,
    PRIMARY KEY (url, format, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS harvested (
    pid TEXT PRIMARY KEY, host TEXT NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a harvest is. Times are the repository's own, as it writes them."""

    done: str | None = None
    """When the last whole harvest began: the next one asks for what changed since."""
    began: str | None = None
    """When the one that is under way began; ``None``: none is."""
    since: str | None = None
    """What the one under way asked for."""
    token: str | None = None
    """Where it goes on."""


class HarvestState:
    """The progress of one harvest; ``part`` is the set, empty for all."""

    def __init__(self, store: CatalogueStore, url: str, form: str, part: str) -> None:
        self._store, self._key = store, (url, form, part)
        # A repository may move from one address of its host to another.
        self._host = urlsplit(url).hostname or url
        with store.writing() as connection:
            for statement in _TABLES.split(";"):
                connection.execute(statement)

    def load(self) -> Progress:
        with self._store.reading() as connection:
            row = connection.execute(
                "SELECT done, began, since, token FROM harvest"
                " WHERE url = ? AND format = ? AND part = ?",
                self._key,
            ).fetchone()
        return Progress() if row is None else Progress(*row)

    def save(self, connection: sqlite3.Connection, progress: Progress) -> None:
        """Inside the transaction that writes the page: what is written is what is remembered."""
        connection.execute(
            "INSERT OR REPLACE INTO harvest (url, format, part, done, began, since, token)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*self._key, progress.done, progress.began, progress.since, progress.token),
        )

    def is_ours(self, connection: sqlite3.Connection, pid: str) -> bool:
        """Did a record of that PID come from this repository?"""
        row = connection.execute("SELECT host FROM harvested WHERE pid = ?", (pid,)).fetchone()
        return row is not None and row[0] == self._host

    def claim(self, connection: sqlite3.Connection, pid: str) -> None:
        """It came from this repository."""
        connection.execute(
            "INSERT OR REPLACE INTO harvested (pid, host) VALUES (?, ?)", (pid, self._host)
        )

    def disclaim(self, connection: sqlite3.Connection, pid: str) -> None:
        connection.execute("DELETE FROM harvested WHERE pid = ?", (pid,))
