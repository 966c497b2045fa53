"""What the public has been shown, when, and what was taken back: the memory of the service.

A harvester that asks "what has changed since" must be told of records that are public no more,
and must not be told that a record exists which never was public. Triggers keep the table, so
that every writer of the file keeps it, whichever process it is. They are made when a file is
first served publicly; a file that never is pays nothing.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from nearfield.catalogue._store import CatalogueStore, fetch
from nearfield.datasets import Dataset

_TABLE = """
CREATE TABLE IF NOT EXISTS announced (
    pid TEXT PRIMARY KEY,
    stamp INTEGER NOT NULL,
    state TEXT NOT NULL,
    opens INTEGER,
    type TEXT NOT NULL,
    instrument TEXT,
    facility TEXT,
    proposal TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS announced_stamp ON announced (stamp, pid);
CREATE INDEX IF NOT EXISTS announced_instrument ON announced (instrument, stamp, pid);
CREATE INDEX IF NOT EXISTS announced_proposal ON announced (proposal) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS announced_derived ON announced (stamp, pid) WHERE type = 'derived';
CREATE INDEX IF NOT EXISTS announced_opens ON announced (opens) WHERE opens IS NOT NULL
"""
# state: 'open'; 'gone': was open once; 'waiting': public, its embargo not over, never shown.
_NOW = "CAST(strftime('%s', 'now') AS INTEGER)"
# When an embargo ends, rounded up to a second; NULL where there is none or it is over. One that
# SQLite cannot read, as the last moment of the year 9999 with a zone, ends after all times.
_NEVER = 253_402_300_800
_OPENS = (
    "(SELECT at FROM (SELECT CASE WHEN until IS NOT NULL THEN"
    " coalesce(CAST(strftime('%s', until) AS INTEGER) + 1, {never}) END AS at"
    " FROM (SELECT json_extract({doc}, '$.access.embargo_until') AS until)) WHERE at > {now})"
)
_PUT = """
INSERT INTO announced (pid, stamp, state, opens, type, instrument, facility, proposal)
SELECT d.pid, {now}, CASE WHEN {opens} IS NULL THEN 'open' ELSE 'waiting' END, {opens},
    d.type, d.instrument,
    json_extract(NEW.document, '$.facility'), json_extract(NEW.document, '$.proposal')
FROM dataset d WHERE d.id = NEW.id AND d.public = 1
ON CONFLICT (pid) DO UPDATE SET
    stamp = excluded.stamp,
    state = CASE WHEN excluded.state = 'open' THEN 'open'
        WHEN state = 'waiting' THEN 'waiting' ELSE 'gone' END,
    opens = excluded.opens, type = excluded.type,
    instrument = CASE WHEN excluded.state = 'open' OR state = 'waiting'
        THEN excluded.instrument ELSE instrument END,
    facility = excluded.facility, proposal = excluded.proposal
"""
_HIDE = """
UPDATE announced SET stamp = {now}, state = 'gone', opens = NULL
WHERE pid = (SELECT pid FROM dataset WHERE id = NEW.id AND public = 0) AND state = 'open'
"""
_HIDE_WAITING = """
DELETE FROM announced
WHERE pid = (SELECT pid FROM dataset WHERE id = NEW.id AND public = 0) AND state = 'waiting'
"""
_ON_WRITE = "BEGIN {put}; {hide}; {hide_waiting}; END"
_ON_DELETE = """
BEGIN
    UPDATE announced SET stamp = {now}, state = 'gone', opens = NULL
    WHERE pid = OLD.pid AND state = 'open';
    DELETE FROM announced WHERE pid = OLD.pid AND state = 'waiting';
    UPDATE announced SET opens = NULL WHERE pid = OLD.pid;
END
"""
_TRIGGERS = {
    "announce_new": "AFTER INSERT ON record {write}",
    "announce_change": "AFTER UPDATE ON record {write}",
    "announce_end": "AFTER DELETE ON dataset {delete}",
}
_LOST = """
UPDATE announced SET stamp = {now}, state = 'gone', opens = NULL WHERE state = 'open'
AND NOT EXISTS (SELECT 1 FROM dataset d WHERE d.pid = announced.pid AND d.public = 1)
"""
# What was told as open by mistake.
_SHUT = """
UPDATE announced SET stamp = {now}, state = 'gone', opens = {opens}
FROM dataset d JOIN record r USING (id)
WHERE announced.pid = d.pid AND announced.state = 'open' AND {opens} IS NOT NULL
"""
# Distinct names, one step in the index for each: not one for each record.
_NAMES = """
WITH RECURSIVE each(name) AS (
    SELECT min({name}) FROM announced WHERE {shown}
    UNION ALL
    SELECT (SELECT min({name}) FROM announced WHERE {shown} AND {name} > each.name)
    FROM each WHERE each.name IS NOT NULL
)
SELECT name FROM each WHERE name IS NOT NULL LIMIT ?
"""
# What is public when the file is first served.
_FILL = """
INSERT OR IGNORE INTO announced
    (pid, stamp, state, opens, type, instrument, facility, proposal)
SELECT d.pid, {now}, CASE WHEN {opens} IS NULL THEN 'open' ELSE 'waiting' END, {opens},
    d.type, d.instrument,
    json_extract(r.document, '$.facility'), json_extract(r.document, '$.proposal')
FROM dataset d JOIN record r USING (id) WHERE d.public = 1
"""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One record as the public knows it."""

    pid: str
    stamp: int
    """Seconds since 1970 of its last change."""
    deleted: bool
    type: str
    instrument: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is listed: times in seconds, both included; sets by type or instrument."""

    since: int | None = None
    until: int | None = None
    type: str | None = None
    instrument: str | None = None
    measured: bool = False
    """Only those with an instrument, whichever it is."""


class Announcements:
    """The public's view of a catalogue file, in the order of changes. All methods block."""

    def __init__(self, store: CatalogueStore, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        with store.writing() as connection:
            prepare(connection)

    def page(
        self, chosen: Selection, after: tuple[int, str] | None, limit: int
    ) -> tuple[list[Announcement], bool]:
        """The next ``limit`` by time of change, and whether there are more.

        A place in the list is the last record that was given: whatever others write, nothing
        is given twice and nothing left out; what changes meanwhile moves to the end.
        """
        self._open_what_is_due()
        where, values = _where(chosen)
        if after is not None:
            where += " AND (stamp, pid) > (:stamp, :pid)"
            values.update(stamp=after[0], pid=after[1])
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT pid, stamp, state, type, instrument FROM announced"  # noqa: S608
                f" WHERE {where} ORDER BY stamp, pid LIMIT :limit",
                {**values, "limit": limit + 1},
            ).fetchall()
        return [_announcement(row) for row in rows[:limit]], len(rows) > limit

    def count(self, chosen: Selection) -> int:
        """How many are listed at this moment."""
        self._open_what_is_due()
        where, values = _where(chosen)
        with self._store.reading() as connection:
            (number,) = connection.execute(
                f"SELECT count(*) FROM announced WHERE {where}",  # noqa: S608
                values,
            ).fetchone()
        return int(number)

    def get(self, pid: str) -> Announcement | None:
        """One record; ``None`` where the public never saw it."""
        self._open_what_is_due()
        with self._store.reading() as connection:
            row = connection.execute(
                "SELECT pid, stamp, state, type, instrument FROM announced"
                " WHERE pid = ? AND state != 'waiting'",
                (pid,),
            ).fetchone()
        return None if row is None else _announcement(row)

    def datasets(self, pids: list[str]) -> dict[str, Dataset]:
        """The records themselves. Not the caller's promise but the record says if it is open."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        with self._store.reading() as connection:
            found = (fetch(connection, pid) for pid in pids)
            return {
                dataset.pid: dataset
                for dataset in found
                if dataset is not None and dataset.access.open_at(now)
            }

    def instruments(self, limit: int) -> list[str]:
        """The instruments that any announced record was measured with, by name."""
        return self._each(_NAMES.format(name="instrument", shown="state != 'waiting'"), limit)

    def places(self, limit: int) -> list[tuple[str, str | None]]:
        """The instruments of open records, each with the facility that its last record names."""
        self._open_what_is_due()
        names = self._each(_NAMES.format(name="instrument", shown="state = 'open'"), limit)
        with self._store.reading() as connection:
            found = (
                connection.execute(
                    "SELECT facility FROM announced WHERE state = 'open' AND instrument = ?"
                    " ORDER BY stamp DESC, pid DESC LIMIT 1",
                    (name,),
                ).fetchone()
                for name in names
            )
            return [(name, row[0]) for name, row in zip(names, found, strict=True)]

    def proposals(self, limit: int) -> list[str]:
        """The proposals of open records, by name."""
        self._open_what_is_due()
        return self._each(_NAMES.format(name="proposal", shown="state = 'open'"), limit)

    def _each(self, statement: str, limit: int) -> list[str]:
        with self._store.reading() as connection:
            return [name for (name,) in connection.execute(statement, (limit,))]

    def earliest(self) -> int:
        """The time of the first change that is still known."""
        with self._store.reading() as connection:
            (first,) = connection.execute(
                "SELECT min(stamp) FROM announced WHERE state != 'waiting'"
            ).fetchone()
        return int(self._clock()) if first is None else int(first)

    def _open_what_is_due(self) -> None:
        """An embargo that is over is a change at the moment when it ended."""
        now = int(self._clock())
        with self._store.reading() as connection:
            due = connection.execute(
                "SELECT 1 FROM announced WHERE opens <= ? LIMIT 1", (now,)
            ).fetchone()
        if due is not None:
            with self._store.writing() as connection:
                connection.execute(
                    "UPDATE announced SET stamp = max(stamp, opens), state = 'open', opens = NULL"
                    " WHERE opens <= ?",
                    (now,),
                )


def prepare(connection: sqlite3.Connection) -> None:
    """Table and triggers, inside the caller's transaction; nothing where they are there."""
    opens = _OPENS.format(doc="NEW.document", now=_NOW, never=_NEVER)
    write = _ON_WRITE.format(
        put=_PUT.format(now=_NOW, opens=opens),
        hide=_HIDE.format(now=_NOW),
        hide_waiting=_HIDE_WAITING,
    )
    gone = _ON_DELETE.format(now=_NOW)
    wanted = {
        name: f"CREATE TRIGGER {name} {when.format(write=write, delete=gone)}"
        for name, when in _TRIGGERS.items()
    }
    found = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    if all(found.get(name) == text.strip() for name, text in wanted.items()):
        return
    for statement in _TABLE.split(";"):
        connection.execute(statement)
    for name, text in wanted.items():
        # Those of an older Nearfield said other things.
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        connection.execute(text)
    # What happened while there were no triggers: after a move to another layout of the file.
    connection.execute(_LOST.format(now=_NOW))
    opens = _OPENS.format(doc="r.document", now=_NOW, never=_NEVER)
    connection.execute(_SHUT.format(now=_NOW, opens=opens))
    connection.execute(_FILL.format(now=_NOW, opens=opens))


def _where(chosen: Selection) -> tuple[str, dict[str, int | str]]:
    conditions = {
        "since": "stamp >= :since",
        "until": "stamp <= :until",
        "type": "type = :type",
        "instrument": "instrument = :instrument",
    }
    values = {name: value for name in conditions if (value := getattr(chosen, name)) is not None}
    fixed = ["state != 'waiting'"]
    if chosen.type == "derived":
        # Said in so many words, or SQLite does not know that the index of these holds them all.
        fixed.append("type = 'derived'")
    if chosen.measured:
        fixed.append("instrument IS NOT NULL")
    return " AND ".join([*fixed, *(conditions[name] for name in values)]), values


def _announcement(row: tuple[str, int, str, str, str | None]) -> Announcement:
    pid, stamp, state, kind, instrument = row
    return Announcement(pid, stamp, state == "gone", kind, instrument)
