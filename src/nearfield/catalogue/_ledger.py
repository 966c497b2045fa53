"""What a scan remembers: how each file looked and what it said, and each dataset's state."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue.metadata import FileMetadata

# Raised when the readers learn something: every file is then read again.
READER_VERSION = 4


def fingerprint(status: os.stat_result) -> str:
    """Changes whenever the file does: size, times of content and inode, inode number."""
    return (
        f"{READER_VERSION}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"
        f":{status.st_ino}"
    )


@dataclass(frozen=True, slots=True)
class Remembered:
    """One file as it was last read."""

    fingerprint: str
    links: tuple[str, ...] = ()
    """Other files that it refers to, as :attr:`FileLink.pattern` spells them."""
    series: str | None = None
    """Its openPMD file pattern."""
    error: str | None = None
    data: bool = True
    """False for a file that is no data file at all."""
    asked: str = ""
    """What facility rules wanted of it: other rules, and it is read again."""
    frame: bool = False
    """A later image of a stack: known by its name, never opened."""


@dataclass(frozen=True, slots=True)
class KnownDataset:
    """One dataset as it was last registered."""

    pid: str
    state: str
    problems: tuple[tuple[str, str], ...] = ()
    """Paths and reasons to report again as long as nothing changes."""


def remember(mark: str, metadata: FileMetadata) -> Remembered:
    """What later scans need of a reading, without loading all of it."""
    names = tuple(dict.fromkeys(link.pattern for link in metadata.links))
    return Remembered(mark, names, metadata.series.pattern if metadata.series else None)


def same_content(known: Remembered, mark: str) -> bool:
    """As :func:`fingerprint`, without the inode's time: moving to tape touches that alone.

    Nor is a file fetched from tape because the readers have learned something.
    """
    before, now = known.fingerprint.split(":"), mark.split(":")
    return before[1:3] + before[4:] == now[1:3] + now[4:]


class Ledger:
    """The bookkeeping of scans below one folder."""

    def __init__(self, store: CatalogueStore, root: str) -> None:
        self._store = store
        base = root.rstrip("/")
        # All paths below the folder: "0" is the character after "/".
        self._range = (f"{base}/", f"{base}0")

    def files(self) -> dict[str, Remembered]:
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT path, fingerprint, links, error, reading IS NOT NULL FROM scanned_file"
                " WHERE path >= ? AND path < ?",
                self._range,
            ).fetchall()
        return {
            path: _remembered(mark, links, error, data=bool(read) or error is not None)
            for path, mark, links, error, read in rows
        }

    def outside_links(self) -> list[tuple[str, tuple[str, ...]]]:
        """Files scanned elsewhere that refer to others: these may be in this folder."""
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT path, links FROM scanned_file WHERE links != '' AND NOT"
                " (path >= ? AND path < ?)",
                self._range,
            ).fetchall()
        return [(path, tuple(json.loads(links)["files"])) for path, links in rows]

    def datasets(self) -> dict[str, KnownDataset]:
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT root, pid, state, problems FROM scanned_dataset"
                " WHERE root >= ? AND root < ?",
                self._range,
            ).fetchall()
        return {
            root: KnownDataset(pid, state, tuple((p, r) for p, r in json.loads(problems)))
            for root, pid, state, problems in rows
        }

    def reading(self, path: str) -> FileMetadata:
        """What was read from a file that was read without error."""
        with self._store.reading() as connection:
            (text,) = connection.execute(
                "SELECT reading FROM scanned_file WHERE path = ?", (path,)
            ).fetchone()
        return FileMetadata.model_validate_json(text)

    def save_files(self, found: Iterable[tuple[str, Remembered, FileMetadata | None]]) -> None:
        """Remember files, in one transaction."""
        with self._store.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO scanned_file (path, fingerprint, links, reading, error)"
                " VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        path,
                        known.fingerprint,
                        _links_text(known),
                        None if read is None else read.model_dump_json(),
                        known.error,
                    )
                    for path, known, read in found
                ],
            )

    def forget_files(self, paths: Iterable[str]) -> None:
        """Files that are gone."""
        gone = [(path,) for path in paths]
        if gone:
            with self._store.writing() as connection:
                connection.executemany("DELETE FROM scanned_file WHERE path = ?", gone)


def save_dataset(connection: sqlite3.Connection, root: str, known: KnownDataset) -> None:
    """Remember a dataset inside the transaction that registers it."""
    connection.execute(
        "INSERT OR REPLACE INTO scanned_dataset (root, pid, state, problems) VALUES (?, ?, ?, ?)",
        (root, known.pid, known.state, json.dumps(known.problems)),
    )


def forget_dataset(connection: sqlite3.Connection, root: str) -> None:
    """A root file that is no dataset of its own any more."""
    connection.execute("DELETE FROM scanned_dataset WHERE root = ?", (root,))


def _links_text(known: Remembered) -> str:
    if not known.links and known.series is None and not known.asked:
        return ""
    said: dict[str, Any] = {"files": known.links, "series": known.series}
    if known.frame:
        said["frame"] = True
    if known.asked:
        said["asked"] = known.asked
    return json.dumps(said)


def _remembered(mark: str, links: str, error: str | None, *, data: bool) -> Remembered:
    said: dict[str, Any] = json.loads(links) if links else {"files": (), "series": None}
    return Remembered(
        mark,
        tuple(said["files"]),
        said["series"],
        error,
        data,
        asked=said.get("asked", ""),
        frame=bool(said.get("frame")),
    )
