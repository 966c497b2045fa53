"""Many processes, one file: writers, readers, a copy in between, and kill -9."""

from __future__ import annotations

import gc
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.catalogue import _backup as backing_up
from nearfield.datasets import Principal
from nearfield.errors import CatalogueError
from nearfield.querying import Query
from nearfield.testing.synthetic import synthetic_dataset

ROOT = Principal(name="root", admin=True)
WRITER = """
import sys
from pathlib import Path
from nearfield.catalogue import CatalogueStore
from nearfield.testing.synthetic import synthetic_dataset
store, first, count = CatalogueStore(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
number = first
while number < first + count:
    store.register([synthetic_dataset(n) for n in range(number, number + 20)])
    number += 20
    print(number, flush=True)
store.close()
"""
READER = """
import asyncio, sys
from pathlib import Path
from nearfield.catalogue import SqliteCatalogue
from nearfield.datasets import Principal
from nearfield.querying import Query
async def read():
    catalogue = SqliteCatalogue.open(Path(sys.argv[1]), "c", Principal(name="x"))
    total = 0
    for _ in range(40):
        page = await catalogue.search(Query(text="synthetic", limit=1000))
        # One state of the file: what is counted is what is there, in batches as they were written.
        assert page.total == len(page.datasets) == sum((await catalogue.facets(
            Query(text="synthetic")))["type"].values()) or page.total <= 1000
        assert page.total % 20 == 0 and page.total >= total, page.total
        total = page.total
    await catalogue.aclose()
asyncio.run(read())
"""


def start(code: str, *argv: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, argv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check(path: Path, count: int) -> None:
    """Everything in the file agrees with everything else."""
    store = CatalogueStore(path, create=False)
    with store.writing() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        # FTS5 compares its index with the records.
        connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        (everybody,) = connection.execute(
            "SELECT sum(number) FROM tally WHERE audience = 0"
        ).fetchone()
        (each,) = connection.execute("SELECT sum(number) FROM tally WHERE audience > 0").fetchone()
        assert everybody == each == count
    assert store.count() == count
    store.close()


def test_writers_and_readers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    CatalogueStore(path).close()
    workers = [start(WRITER, path, first, 200) for first in (0, 1000, 2000)]
    workers += [start(READER, path) for _ in range(2)]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert (worker.returncode, errors) == (0, "")
    check(path, 600)


@pytest.mark.parametrize("batches", [1, 4, 9])
def test_a_writer_that_is_killed_leaves_whole_batches(tmp_path: Path, batches: int) -> None:
    path = tmp_path / "c.sqlite"
    writer = start(WRITER, path, 0, 100_000)
    assert writer.stdout is not None
    for _ in range(batches):
        writer.stdout.readline()
    # In the middle of a later batch, wherever that is.
    writer.kill()
    writer.communicate(timeout=60)
    assert writer.returncode == -signal.SIGKILL
    store = CatalogueStore(path)
    count = store.count()
    assert count >= 20 * batches
    assert count % 20 == 0
    store.register([synthetic_dataset(500_000)])
    store.close()
    check(path, count + 1)


async def test_a_copy_while_others_write(tmp_path: Path) -> None:
    path, copy = tmp_path / "c.sqlite", tmp_path / "copy.sqlite"
    writer = start(WRITER, path, 0, 100_000)
    assert writer.stdout is not None
    for _ in range(3):
        writer.stdout.readline()
    store = CatalogueStore(path)
    store.backup(copy)
    writer.kill()
    writer.communicate(timeout=60)
    store.close()
    assert copy.stat().st_mode & 0o077 == 0
    assert not copy.with_name("copy.sqlite-wal").exists()
    catalogue = SqliteCatalogue.open(copy, "c", ROOT)
    total = (await catalogue.search(Query())).total
    await catalogue.aclose()
    assert total >= 60
    assert total % 20 == 0
    check(copy, total)


def test_a_copy_overwrites_nothing(store: CatalogueStore, tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.write_text("mine")
    with pytest.raises(CatalogueError, match="there already"):
        store.backup(target)
    assert target.read_text() == "mine"
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CatalogueError, match="there already"):
        store.backup(dangling)
    with pytest.raises(CatalogueError, match="No such file"):
        store.backup(tmp_path / "no/such/folder/copy")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["catalogue", "dangling", "there"]


def test_a_copy_that_fails_leaves_nothing(
    store: CatalogueStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, part: Path, target: Path) -> None:
        part.write_bytes(b"half")
        raise CatalogueError(f"catalogue {source}: the disk is full")

    monkeypatch.setattr(backing_up, "_copy", full)
    with pytest.raises(CatalogueError, match="full"):
        store.backup(tmp_path / "copy")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["catalogue"]


def test_readers_do_not_wait_for_a_writer(store: CatalogueStore) -> None:
    """Nor does a writer for readers: with no patience at all, nobody is told to wait."""
    store.register([synthetic_dataset(1)])
    failed: list[sqlite3.Error] = []

    def read() -> None:
        try:
            connection = sqlite3.connect(store.path, timeout=0)
            for _ in range(20):
                connection.execute("SELECT count(*) FROM words WHERE words MATCH 'synthetic'")
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM record").fetchone()
                connection.execute("COMMIT")
            connection.close()
        except sqlite3.Error as error:
            failed.append(error)

    with store.writing() as connection:
        connection.execute("UPDATE record SET title = 'other'")
        threads = [threading.Thread(target=read) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        connection.execute("UPDATE record SET title = 'synthetic measurement 1'")
    assert failed == []


def test_a_load_is_written_in_short_pieces(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nearfield.catalogue._store.BATCH", 10)

    def until_it_breaks() -> object:
        for number in range(35):
            yield synthetic_dataset(number)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.load(until_it_breaks())  # type: ignore[arg-type]
    assert store.count() == 30
    assert gc.isenabled()
    assert store.load(synthetic_dataset(n) for n in range(35)) == 35
    assert store.count() == 35
