"""A bulk load: one batch is prepared while another is written, and others write in between."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue import _records as recording
from nearfield.catalogue import _schema as schema
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueError, CatalogueUnavailableError
from nearfield.testing.synthetic import synthetic_dataset

LOADER = """
import sys
from pathlib import Path
from nearfield.catalogue import CatalogueStore, _store
from nearfield.testing.synthetic import synthetic_dataset
_store.BATCH = 20
def told():
    for number in range(1_000_000):
        if number % 20 == 0:
            print(number, flush=True)
        yield synthetic_dataset(number)
CatalogueStore(Path(sys.argv[1])).load(told())
"""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearfield.catalogue._store.BATCH", 10)


def dataset(number: int) -> Dataset:
    """With two measured numbers."""
    measured = {"energy": {"value": 5.0 + number % 7, "unit": "keV"}, "temperature": number}
    return synthetic_dataset(number).model_copy(update={"scientific": measured})


def sound(path: Path) -> int:
    """Everything in the file agrees with everything else; how many datasets there are."""
    store = CatalogueStore(path, create=False)
    with store.writing() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        # FTS5 compares its index with the records.
        connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        (counted,) = connection.execute(
            "SELECT sum(number) FROM tally WHERE audience = 0"
        ).fetchone()
        (lost,) = connection.execute(
            "SELECT count(*) FROM quantity WHERE id NOT IN (SELECT id FROM dataset)"
        ).fetchone()
    number = store.count()
    store.close()
    assert (counted or 0, lost) == (number, 0)
    return number


def quantities(store: CatalogueStore) -> int:
    with store.reading() as connection:
        (number,) = connection.execute("SELECT count(*) FROM quantity").fetchone()
    return int(number)


def test_of_one_pid_the_last_record_counts_whatever_its_batch(store: CatalogueStore) -> None:
    once = [dataset(n) for n in range(25)]
    again = [one.model_copy(update={"title": "another"}) for one in once[3:18]]
    assert store.load([*once, *again, *again[:2]]) == 42
    assert sound(store.path) == 25
    with store.reading() as connection:
        found = connection.execute("SELECT count(*) FROM words WHERE words MATCH 'another'")
        assert found.fetchone() == (15,)
    fresh = CatalogueStore(store.path.with_name("fresh"))
    fresh.load([*once[:3], *again, *once[18:]])
    assert quantities(store) == quantities(fresh) > 0
    fresh.close()


def test_others_can_write_between_two_batches(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[float] = []

    def sleep(seconds: float) -> None:
        # Without any patience: it fails where the load holds the lock.
        other = sqlite3.connect(store.path, timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        other.close()
        with store.writing():
            free.append(seconds)

    monkeypatch.setattr("nearfield.catalogue._store.time.sleep", sleep)
    assert store.load(dataset(n) for n in range(35)) == 35
    assert free == [schema.TURN_SECONDS] * 3


def test_who_waits_to_write_looks_more_often_than_a_load_pauses(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite waits in steps of its own; none may be longer than the pause."""
    said: list[str] = []

    class Connection:
        def execute(self, statement: str) -> None:
            said.append(statement)
            if statement == "BEGIN IMMEDIATE" and said.count(statement) < 3:
                connection.execute("PRAGMA busy_timeout = 0")
                connection.execute(statement)

    monkeypatch.setattr(schema, "BUSY_SECONDS", 2.0)
    connection = schema.connect(store.path)
    with store.writing():
        schema.begin_writing(Connection())  # type: ignore[arg-type]
    assert said == [
        "PRAGMA busy_timeout = 50",
        *["BEGIN IMMEDIATE"] * 3,
        "PRAGMA busy_timeout = 2000",
    ]
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.01)
    with store.writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
        schema.begin_writing(connection)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (10,)
    connection.close()


@pytest.mark.parametrize("half", ["put_rows", "index"])
def test_a_batch_that_fails_is_not_written_at_all(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    """Nor what comes after it; what came before stays, and the file can be written to."""
    taken: list[int] = []
    calls: list[str] = []
    real = getattr(recording, half)

    def full(connection: sqlite3.Connection, *rest: Any) -> Any:
        done = real(connection, *rest)
        calls.append(half)
        if len(calls) == 2:
            raise sqlite3.OperationalError("database or disk is full")
        return done

    def datasets() -> Iterator[Dataset]:
        for number in range(100):
            taken.append(number)
            yield dataset(number)

    monkeypatch.setattr(f"nearfield.catalogue._store.{half}", full)
    with pytest.raises(CatalogueError, match="full"):
        store.load(datasets())
    assert len(taken) <= 30
    assert sound(store.path) == 10
    before = quantities(store)
    store.register([dataset(500)])
    assert sound(store.path) == 11
    # Nothing is left over of the batch that failed.
    assert quantities(store) == before + 2


def test_a_record_that_cannot_be_written_names_the_file(store: CatalogueStore) -> None:
    """Two results of one run, in the second batch."""
    datasets: Sequence[Dataset] = [dataset(n) for n in range(20)]
    same = {"type": "derived", "run_id": "run-0000001"}
    clash = [one.model_copy(update=same) for one in datasets[14:16]]
    with pytest.raises(CatalogueError, match=store.path.name):
        store.load([*datasets[:14], *clash, *datasets[16:]])
    assert sound(store.path) == 10


def test_a_write_that_fails_is_told_though_the_source_fails_too(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
        raise CatalogueUnavailableError("another process has been writing")

    def broken() -> Iterator[Dataset]:
        yield from (dataset(n) for n in range(15))
        raise ZeroDivisionError

    monkeypatch.setattr("nearfield.catalogue._store.index", busy)
    with pytest.raises(CatalogueUnavailableError) as told:
        store.load(broken())
    assert isinstance(told.value.__context__, ZeroDivisionError)
    assert store.count() == 0


def test_measured_values_are_written_in_parts(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part is begun where the last one is full; what is written again moves to the last."""
    monkeypatch.setattr("nearfield.catalogue._measuring.PART", 30)
    store.load(dataset(n) for n in range(40))
    store.register([synthetic_dataset(1000)])
    store.register([dataset(0)])
    with store.reading() as connection:
        rows = connection.execute("SELECT part, count(*) FROM quantity GROUP BY part").fetchall()
        # However many parts there are, each is looked up in the index.
        plan = str(
            connection.execute(
                "EXPLAIN QUERY PLAN SELECT q.id FROM quantity q INDEXED BY quantity_base"
                " WHERE q.part IN (SELECT part FROM quantity_part)"
                " AND q.measure IN (SELECT value FROM json_each('[1]')) AND q.base > 1"
            ).fetchall()
        )
    assert rows == [(0, 38), (1, 40), (2, 2)]
    assert "part=? AND measure=? AND base>?" in plan


def test_long_records_make_short_batches(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = recording.put_rows

    def counted(connection: sqlite3.Connection, records: Sequence[Any], numbers: Any) -> list[int]:
        sizes.append(len(records))
        return real(connection, records, numbers)

    monkeypatch.setattr("nearfield.catalogue._store.put_rows", counted)
    monkeypatch.setattr("nearfield.catalogue._store.BATCH_LENGTH", 50_000)
    long = {"description": "word " * 3000}
    store.load(dataset(n).model_copy(update=long) for n in range(7))
    # 30,000 characters each: in the text and in the document.
    assert sizes == [2, 2, 2, 1]


def test_a_load_that_is_killed_leaves_whole_batches(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    loader = subprocess.Popen(
        [sys.executable, "-c", LOADER, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert loader.stdout is not None
    for line in loader.stdout:
        if int(line) >= 200:
            break
    loader.kill()
    loader.communicate(timeout=60)
    assert loader.returncode == -signal.SIGKILL
    number = sound(path)
    # Of what was taken from the source two batches may be missing: one prepared, one written.
    assert number >= 160
    assert number % 20 == 0
