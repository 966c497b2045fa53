"""A catalogue file as the first release wrote it: its tables, and how it put a record into them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from nearfield.datasets import Dataset
from nearfield.querying.times import instant

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
# What records had then; the rest came later.
FIELDS = {
    "pid", "type", "title", "description", "techniques", "format", "instrument", "facility",
    "sample", "proposal", "start_time", "end_time", "keywords", "storage", "source_folder", "size",
    "files", "arrays", "access", "warnings", "scientific", "run_id", "input_datasets",
    "used_software", "job_parameters", "created",
}  # fmt: skip


def write(path: Path, datasets: Iterable[Dataset], request: str = "digest") -> None:
    """Make such a file; results get ``request``."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(TABLES)
    connection.execute("PRAGMA application_id = 0x4E664C64")
    connection.execute("PRAGMA user_version = 1")
    for key, dataset in enumerate(datasets, 1):
        time = dataset.start_time or dataset.created
        connection.execute(
            "INSERT INTO dataset VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                dataset.pid,
                dataset.type,
                None if time is None else instant(time),
                dataset.instrument,
                dataset.format,
                dataset.access.owner,
                dataset.access.public,
                dataset.run_id,
                request if dataset.run_id else None,
            ),
        )
        document = dataset.model_dump_json(include=FIELDS)
        connection.execute("INSERT INTO record VALUES (?, ?)", (key, document))
        connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (key, dataset.title))
        for table, names in (
            ("dataset_group", {dataset.access.owner_group, *dataset.access.access_groups} - {None}),
            ("dataset_technique", set(dataset.techniques)),
            ("dataset_input", set(dataset.input_datasets)),
        ):
            connection.executemany(
                f"INSERT INTO {table} VALUES (?, ?)",  # noqa: S608
                [(name, key) for name in names],
            )
    connection.execute("INSERT INTO scanned_file VALUES ('/d/a.h5', '1:2:3', '', NULL, 'not HDF5')")
    connection.execute("INSERT INTO scanned_dataset VALUES ('/d/b.h5', 'public-1', 's', '[]')")
    connection.close()
