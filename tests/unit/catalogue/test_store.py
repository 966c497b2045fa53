"""The embedded catalogue's file: what it refuses, what it survives, what it costs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.catalogue import _schema as schema
from nearfield.catalogue._select import select
from nearfield.datasets import Access, Principal
from nearfield.errors import CatalogueError, CatalogueUnavailableError, DatasetNotFoundError
from nearfield.querying import Condition, Query
from nearfield.testing.synthetic import synthetic_dataset

ALICE = Principal(name="alice", groups=frozenset({"chemists"}))
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/c.sqlite"
    CatalogueStore(path).close()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_reading_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with pytest.raises(CatalogueError, match="there is no catalogue") as refused:
        CatalogueStore(path, create=False)
    assert "catalogue scan" in (refused.value.hint or "")
    assert not path.exists()


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    CatalogueStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(CatalogueError, match="newer Nearfield"):
        CatalogueStore(path)


def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "firefox.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CatalogueError, match="another program"):
        CatalogueStore(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Dear diary, " * 100)
    with pytest.raises(CatalogueError, match="not a catalogue file"):
        CatalogueStore(text)
    assert text.read_text() == "Dear diary, " * 100
    with pytest.raises(CatalogueError, match="is a folder"):
        CatalogueStore(tmp_path)
    with pytest.raises(CatalogueError, match="is not a folder"):
        CatalogueStore(text / "c.sqlite")


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    store = CatalogueStore(path)
    store.register(synthetic_dataset(n) for n in range(200))
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(CatalogueError, match="damaged"):
        CatalogueStore(path).register([synthetic_dataset(300)])


def test_a_full_disk_loses_nothing_and_is_told(store: CatalogueStore) -> None:
    store.register([synthetic_dataset(1)])
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(CatalogueError, match="disk is full"):
        store.register(synthetic_dataset(n) for n in range(2, 500))
    assert store.count() == 1
    store._writer.execute("PRAGMA max_page_count = 1000000")
    store.register([synthetic_dataset(2)])
    assert store.count() == 2


def test_a_busy_file_is_told(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.01)
    other = CatalogueStore(store.path)
    with store.writing(), pytest.raises(CatalogueUnavailableError, match="another process"):
        other.register([synthetic_dataset(1)])
    other.close()


def test_folder_without_write_permission(run: Run, nobody: int, open_folder: Path) -> None:
    (open_folder / "data").mkdir(mode=0o755)
    closed = open_folder / "closed"
    closed.mkdir(mode=0o755)
    done = run(
        "catalogue", "scan", open_folder / "data", "--catalogue", closed / "c.sqlite", user=nobody
    )
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    # A catalogue that somebody else made there may be readable; without a WAL it is not openable.
    CatalogueStore(closed / "c.sqlite").close()
    (closed / "c.sqlite").chmod(0o644)
    done = run("catalogue", "search", "x", "--catalogue", closed / "c.sqlite", user=nobody)
    assert done.returncode == 1
    assert str(closed / "c.sqlite") in done.stderr
    assert "Traceback" not in done.stderr
    done = run(
        "catalogue", "scan", open_folder / "data", "--catalogue", closed / "c.sqlite", user=nobody
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


WRITER = """
import sys
from pathlib import Path
from nearfield.catalogue import CatalogueStore
from nearfield.testing.synthetic import synthetic_dataset
path, first = Path(sys.argv[1]), int(sys.argv[2])
store = CatalogueStore(path)
for number in range(first, first + 150):
    store.register([synthetic_dataset(number)])
store.close()
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    # Neither finds a file: making the tables is part of the race.
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(first)], stderr=subprocess.PIPE, text=True
        )
        for first in (0, 1000)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors) == (0, "")
    store = CatalogueStore(path, create=False)
    assert store.count() == 300
    with store.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store.close()


def test_a_new_file_waits_for_who_is_writing_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # SQLite itself refuses at once now, and does not wait
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        other.execute("ROLLBACK")

    monkeypatch.setattr("time.sleep", sleep)
    CatalogueStore(path).close()
    assert len(waits) == 1


async def test_registering_again_replaces(store: CatalogueStore) -> None:
    catalogue = SqliteCatalogue(store, ALICE)
    store.register([synthetic_dataset(1, title="first name", techniques=("A",))])
    store.register([synthetic_dataset(1, title="second name", techniques=("B",))])
    assert (await catalogue.search(Query(text="first"))).total == 0
    assert (await catalogue.search(Query(text="second"))).total == 1
    assert (await catalogue.facets(Query()))["technique"] == {"B": 1}


async def test_rights_change_with_the_record(store: CatalogueStore) -> None:
    catalogue = SqliteCatalogue(store, ALICE)
    store.register([synthetic_dataset(1, access=Access(owner_group="chemists"))])
    assert (await catalogue.search(Query())).total == 1
    store.register([synthetic_dataset(1, access=Access(owner_group="physicists"))])
    assert (await catalogue.search(Query())).total == 0
    with pytest.raises(DatasetNotFoundError):
        await catalogue.get("synthetic-00001")


async def test_a_user_of_very_many_groups(store: CatalogueStore) -> None:
    store.register([synthetic_dataset(1, access=Access(owner_group="g39999"))])
    many = Principal(name="x", groups=frozenset(f"g{n}" for n in range(40_000)))
    assert (await SqliteCatalogue(store, many).search(Query())).total == 1


async def test_names_are_values_never_sql(store: CatalogueStore) -> None:
    store.register([synthetic_dataset(1, access=Access(owner="alice"))])
    for name in ("' OR 1=1 --", 'x" OR "1"="1', "%", "*"):
        found = await SqliteCatalogue(store, Principal(name=name, groups=frozenset({name}))).search(
            Query(technique=None, instrument=None)
        )
        assert found.total == 0
        assert (await SqliteCatalogue(store, ALICE).search(Query(instrument=name))).total == 0


ROOT = Principal(name="root", admin=True)
OF_MANY = Principal(name="x", groups=frozenset(f"g{n}" for n in range(100)))


@pytest.mark.parametrize("user", [ALICE, ROOT, OF_MANY], ids=lambda user: user.name)
@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(text="silver thin", technique=("saxs",), type="raw"),
        Query(since=datetime(2024, 1, 1, tzinfo=UTC)),
        Query(conditions=(Condition(name="energy", op=">", value=8, unit="keV"),)),
    ],
    ids=["all", "words", "times", "numbers"],
)
def test_hits_come_in_order_and_nothing_is_sorted(
    store: CatalogueStore, user: Principal, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a catalogue where very many datasets satisfy the condition.
    monkeypatch.setattr("nearfield.catalogue._select.FEW", 0)
    store.register(
        synthetic_dataset(n, access=Access(owner_group=f"g{n}"), scientific={"energy": 9.0})
        for n in range(100)
    )
    with store.reading() as connection:
        statement, values = select(connection, query, user, 0.0).statement()
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement} LIMIT 51", values).fetchall()
    steps = [step for *_, step in plan]
    assert steps
    assert not [step for step in steps if "TEMP B-TREE" in step]
    assert not [
        step
        for step in steps
        if "SCAN" in step
        and "json_each" not in step
        and "VIRTUAL TABLE" not in step
        and "SCAN hit" not in step
    ]


async def test_closing_twice_and_late_readers(tmp_path: Path) -> None:
    catalogue = SqliteCatalogue.open(tmp_path / "c.sqlite", "c", ALICE, create=True)
    await catalogue.search(Query())
    await catalogue.aclose()
    await catalogue.aclose()
    assert (await catalogue.search(Query())).total == 0, "a late reader opens the file again"
    await catalogue.aclose()
