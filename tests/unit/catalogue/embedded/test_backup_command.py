"""``nearfield catalogue backup``."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.errors import CatalogueError
from nearfield.testing.synthetic import synthetic_dataset

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_copy_is_a_catalogue(run: Run, tmp_path: Path) -> None:
    file, copy = tmp_path / "c.sqlite", tmp_path / "copy.sqlite"
    store = CatalogueStore(file)
    store.register([synthetic_dataset(1)])
    # Held open, as a service would.
    done = run("catalogue", "backup", copy, "--catalogue", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(copy) in done.stdout
    store.close()
    shown = run("catalogue", "search", "synthetic", "--catalogue", copy)
    assert "synthetic measurement 1" in shown.stdout


def test_what_is_there_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    CatalogueStore(file).close()
    before = file.read_bytes()
    done = run("catalogue", "backup", file, "--catalogue", file)
    assert done.returncode == 1
    assert "there already" in done.stderr
    assert file.read_bytes() == before


def test_no_catalogue_no_copy(run: Run, tmp_path: Path) -> None:
    done = run("catalogue", "backup", tmp_path / "copy", "--catalogue", tmp_path / "none")
    assert done.returncode == 1
    assert "there is no catalogue" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_and_names_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CatalogueStore(tmp_path / "c.sqlite")
    store.register([synthetic_dataset(1)])
    there = sorted(tmp_path.iterdir())
    real = sqlite3.connect

    class Full(sqlite3.Connection):
        def execute(self, *said: object) -> sqlite3.Cursor:
            (part,) = set(tmp_path.glob(".copy*")) - set(tmp_path.glob("*-journal"))
            # What SQLite leaves there when it cannot write its journal.
            part.with_name(f"{part.name}-journal").touch()
            real(":memory:").executescript("PRAGMA max_page_count = 1; CREATE TABLE t (x)")
            raise AssertionError("SQLite found room")

    def connect(database: object, **options: object) -> sqlite3.Connection:
        last = isinstance(database, Path) and database.name.startswith(".copy")
        return real(database, **options, **({"factory": Full} if last else {}))  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(CatalogueError, match=f"{tmp_path}/copy.sqlite: the disk is full"):
        store.backup(tmp_path / "copy.sqlite")
    monkeypatch.undo()
    store.close()
    assert set(tmp_path.iterdir()) <= set(there)
