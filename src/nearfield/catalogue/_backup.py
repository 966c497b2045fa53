"""A copy of a catalogue file that is in use."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path

from nearfield.catalogue._sqlite_errors import BUSY_SECONDS, explained
from nearfield.errors import CatalogueError


def copy_file(source: Path, target: Path) -> None:
    """Copy ``source`` as it is at this moment; it may be read and written meanwhile.

    The copy is complete or not there at all, its owner's alone, and overwrites nothing.

    Raises:
        CatalogueError: ``target`` is there, or cannot be written; ``source`` cannot be read.
    """
    if target.exists() or target.is_symlink():
        raise CatalogueError(f"{target}: is there already", hint="name a new file")
    try:
        # mkstemp: mode 0600 from the first byte on.
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise CatalogueError(f"{target}: {error.strerror}", hint="name another place") from error
    os.close(handle)
    part = Path(name)
    try:
        _copy(source, part, target)
        try:
            # link, not rename: it fails where somebody else has made the target by now.
            os.link(part, target)
        except FileExistsError as error:
            raise CatalogueError(f"{target}: is there already", hint="name a new file") from error
        except OSError as error:
            raise CatalogueError(
                f"{target}: {error.strerror}", hint="name another place"
            ) from error
    finally:
        # SQLite leaves its journal where the disk was full.
        for left in (part, part.with_name(f"{part.name}-journal")):
            left.unlink(missing_ok=True)


def _copy(source: Path, part: Path, target: Path) -> None:
    with explained(source):
        reader = sqlite3.connect(
            f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS
        )
    with contextlib.closing(reader):
        with explained(source):
            # A read transaction: writers go on, and the copy is of one moment.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with explained(target), contextlib.closing(sqlite3.connect(part)) as writer:
            reader.backup(writer)
            # The copy stands alone: no log beside it.
            writer.execute("PRAGMA journal_mode = DELETE")
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
