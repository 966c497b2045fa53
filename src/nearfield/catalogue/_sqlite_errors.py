"""SQLite's errors in words: which file, what happened, what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearfield.errors import CatalogueError, CatalogueUnavailableError

BUSY_SECONDS = 30.0


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
