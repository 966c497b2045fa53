"""The tables of the embedded catalogue, layout 4."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

APPLICATION_ID = 0x4E664C64  # "NfLd"
SCHEMA_VERSION = 4

# What counting and paging read is apart from whole records; `kind`, which facets read for each hit,
# is so narrow that it stays in memory. Numbers ascend from the newest to the oldest (`_slots`).
TABLES = """
CREATE TABLE dataset (
    id INTEGER PRIMARY KEY,
    pid TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    time REAL,
    instrument TEXT,
    format TEXT,
    owner TEXT,
    public INTEGER NOT NULL,
    run_id TEXT,
    request TEXT
);
CREATE TABLE kind (
    id INTEGER PRIMARY KEY, combination INTEGER NOT NULL, audience INTEGER NOT NULL
);
CREATE UNIQUE INDEX dataset_run ON dataset (run_id) WHERE run_id IS NOT NULL;
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    rest TEXT NOT NULL,
    tags TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE VIRTUAL TABLE words USING fts5 (
    title, rest, tags, content = 'record', content_rowid = 'id', columnsize = 0,
    prefix = '1 2 3', tokenize = "unicode61 remove_diacritics 2"
);
INSERT INTO words (words, rank) VALUES ('hashsize', 33554432);
INSERT INTO words (words, rank) VALUES ('automerge', 8);
CREATE TABLE combination (id INTEGER PRIMARY KEY, said TEXT NOT NULL UNIQUE);
CREATE TABLE technique (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE audience (id INTEGER PRIMARY KEY, said TEXT NOT NULL UNIQUE, opens REAL);
CREATE INDEX audience_opens ON audience (opens) WHERE opens IS NOT NULL;
CREATE TABLE audience_key (
    key TEXT NOT NULL, audience INTEGER NOT NULL, PRIMARY KEY (key, audience)
) WITHOUT ROWID;
CREATE TABLE tally (
    audience INTEGER NOT NULL,
    combination INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (audience, combination)
) WITHOUT ROWID;
CREATE TABLE measure (
    id INTEGER PRIMARY KEY, said TEXT NOT NULL UNIQUE, name TEXT, path TEXT, dimension TEXT
);
CREATE INDEX measure_name ON measure (name);
"""
# Values come in any order. Those written one after the other are in one part, so that both indexes
# grow in one place; in one piece, a transaction would change most of their pages.
QUANTITY_TABLES = """
CREATE TABLE quantity (
    id INTEGER NOT NULL,
    measure INTEGER NOT NULL,
    value REAL NOT NULL,
    base REAL,
    part INTEGER NOT NULL,
    PRIMARY KEY (id, measure, value)
) WITHOUT ROWID;
CREATE INDEX quantity_value ON quantity (part, measure, value);
CREATE INDEX quantity_base ON quantity (part, measure, base);
CREATE TABLE quantity_part (part INTEGER PRIMARY KEY, number INTEGER NOT NULL);
"""
SCAN_TABLES = """
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


def statements(script: str) -> Iterator[str]:
    """One by one: sqlite3's executescript would end the transaction."""
    for statement in script.split(";\n"):
        if statement.strip():
            yield statement


def create(connection: sqlite3.Connection) -> None:
    """Make them all, inside the caller's transaction."""
    for statement in statements(TABLES + QUANTITY_TABLES + SCAN_TABLES):
        connection.execute(statement)
    mark(connection)


def mark(connection: sqlite3.Connection) -> None:
    """Write down whose file it is, and its layout."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
