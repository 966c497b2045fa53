"""A file of the first layout is brought to the present one: all of it, or nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import layout_one
from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.catalogue import _migrate as migration
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueError
from nearfield.querying import Condition, Query
from nearfield.testing.catalogue_contract import ADMIN, ALICE, PUBLIC, SEED, SEEN_BY, a_result
from nearfield.testing.synthetic import synthetic_dataset

RESULT = synthetic_dataset(
    77, pid="result-77", type="derived", run_id="run-00000077", input_datasets=(PUBLIC.pid,)
)
OLD = tuple(
    Dataset.model_validate_json(one.model_dump_json(include=layout_one.FIELDS))
    for one in (*SEED, RESULT)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "c.sqlite"
    layout_one.write(made, OLD)
    return made


def kept(path: Path) -> Path:
    return path.with_name("c.sqlite.layout1")


def as_layout_three(connection: sqlite3.Connection) -> None:
    """With the measured values in one piece."""
    for statement in (
        "DROP INDEX quantity_value",
        "DROP INDEX quantity_base",
        "ALTER TABLE quantity DROP COLUMN part",
        "DROP TABLE quantity_part",
        "CREATE INDEX quantity_value ON quantity (measure, value)",
        "CREATE INDEX quantity_base ON quantity (measure, base)",
        "PRAGMA user_version = 3",
    ):
        connection.execute(statement)


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(found)


async def test_all_records_are_found_as_before(path: Path) -> None:
    store = CatalogueStore(path, create=False)
    root, alice = SqliteCatalogue(store, ADMIN), SqliteCatalogue(store, ALICE)
    for one in OLD:
        assert await root.get(one.pid) == one.model_copy(update={"source": store.name})
    assert {one.pid for one in (await alice.search(Query())).datasets} == {
        RESULT.pid,
        *(one.pid for one in SEEN_BY["alice"]),
    }
    found = await alice.search(Query(technique=("saxs",), text="behen"))
    assert [one.pid for one in found.datasets] == [PUBLIC.pid]
    found = await alice.search(Query(input_dataset=PUBLIC.pid))
    assert [one.pid for one in found.datasets] == [RESULT.pid]
    assert (await root.facets(Query()))["type"] == {"raw": len(SEED), "derived": 1}
    store.close()


def test_what_scans_and_runs_remember_stays(path: Path) -> None:
    store = CatalogueStore(path)
    with store.reading() as connection:
        assert connection.execute("SELECT * FROM scanned_file").fetchall() == [
            ("/d/a.h5", "1:2:3", "", None, "not HDF5")
        ]
        assert len(connection.execute("SELECT * FROM scanned_dataset").fetchall()) == 1
        row = connection.execute("SELECT request FROM dataset WHERE run_id IS NOT NULL").fetchall()
        assert row == [("digest",)]
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert not {name for name in names if name.startswith("old_")}
    assert "dataset_group" not in names
    store.close()


async def test_a_run_that_was_published_before_is_known(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    store = CatalogueStore(path)
    store.register(SEED)
    wanted = a_result(input_datasets=(PUBLIC.pid,))
    pid = await SqliteCatalogue(store, ALICE).derive(wanted)
    with store.reading() as connection:
        (request,) = connection.execute(
            "SELECT request FROM dataset WHERE pid = ?", (pid,)
        ).fetchone()
        document = connection.execute(
            "SELECT document FROM record JOIN dataset USING (id) WHERE pid = ?", (pid,)
        ).fetchone()[0]
    store.close()
    old = tmp_path / "old.sqlite"
    layout_one.write(old, [*SEED, Dataset.model_validate_json(document)], request)
    store = CatalogueStore(old)
    assert await SqliteCatalogue(store, ALICE).derive(wanted) == pid
    store.close()


def test_a_copy_of_the_old_file_stays(path: Path) -> None:
    CatalogueStore(path).close()
    assert version(path) == 4
    assert version(kept(path)) == 1
    assert kept(path).stat().st_mode & 0o077 == 0
    connection = sqlite3.connect(kept(path))
    assert connection.execute("SELECT count(*) FROM record").fetchone() == (len(OLD),)
    connection.close()
    # It was kept once; opening the file again changes neither.
    before = kept(path).read_bytes()
    CatalogueStore(path).close()
    assert kept(path).read_bytes() == before


def test_a_record_that_cannot_be_read_stops_all(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(
        'UPDATE record SET document = \'{"pid":"20.500/chem/3","type":7}\' WHERE id = 3'
    )
    connection.commit()
    connection.close()
    for _ in range(2):
        with pytest.raises(CatalogueError, match="layout 1") as refused:
            CatalogueStore(path)
        assert "chem/3" in str(refused.value)
        assert version(path) == 1


def test_killed_in_the_middle_the_old_file_is_whole(path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from nearfield.catalogue import CatalogueStore, _migrate\n"
        "_migrate.mark = lambda connection: os.kill(os.getpid(), 9)\n"
        "CatalogueStore(Path(sys.argv[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=False, timeout=60)
    assert done.returncode == -9
    assert version(path) == 1
    store = CatalogueStore(path)
    assert store.count() == len(OLD)
    store.close()


def test_a_copy_that_cannot_be_made_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise CatalogueError(f"{target}: No space left on device")

    monkeypatch.setattr(migration, "copy_file", full)
    with pytest.raises(CatalogueError, match="No space"):
        CatalogueStore(path)
    assert version(path) == 1


def test_two_open_it_at_once(path: Path) -> None:
    stores: list[CatalogueStore] = []
    threads = [
        threading.Thread(target=lambda: stores.append(CatalogueStore(path))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert [store.count() for store in stores] == [len(OLD)] * 4
    for store in stores:
        store.close()


async def test_layout_two_learns_the_words_of_values(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    store = CatalogueStore(path)
    q = {"q": {"value": 2.0, "unit": "Å⁻¹"}}
    store.register(
        [*SEED, synthetic_dataset(7, pid="s-7", sample="silver behenate 3", scientific=q)]
    )
    with store.reading() as connection:
        tags = dict(connection.execute("SELECT pid, tags FROM dataset JOIN record USING (id)"))
    store.close()
    # As layout 2 wrote it: values as a whole, without their words.
    without = {pid: " ".join(t for t in said.split() if t[3] != "w") for pid, said in tags.items()}
    assert without != tags
    connection = sqlite3.connect(path)
    connection.executemany(
        "UPDATE record SET tags = ? WHERE id = (SELECT id FROM dataset WHERE pid = ?)",
        [(said, pid) for pid, said in without.items()],
    )
    connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
    as_layout_three(connection)
    connection.execute("DELETE FROM quantity WHERE value = 2.0")
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    store = CatalogueStore(path)
    assert (version(path), version(path.with_name("c.sqlite.layout2"))) == (4, 2)
    with store.reading() as connection:
        again = dict(connection.execute("SELECT pid, tags FROM dataset JOIN record USING (id)"))
    assert again == tags
    root = SqliteCatalogue(store, ADMIN)
    found = await root.search(Query(sample=("behenate 3",)))
    assert [one.pid for one in found.datasets] == ["s-7"]
    asked = Condition(name="q", op=">=", value=20, unit="nm-1")
    found = await root.search(Query(conditions=(asked,)))
    assert [one.pid for one in found.datasets] == ["s-7"]
    assert (await root.search(Query())).total == len(SEED) + 1
    store.close()


async def test_layout_three_gets_parts_for_its_measured_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nearfield.catalogue._measuring.PART", 10)
    path = tmp_path / "c.sqlite"
    store = CatalogueStore(path)
    store.register(measured(number) for number in range(15))
    store.close()
    connection = sqlite3.connect(path)
    as_layout_three(connection)
    connection.commit()
    connection.close()
    store = CatalogueStore(path)
    assert (version(path), version(path.with_name("c.sqlite.layout3"))) == (4, 3)
    store.register(measured(number) for number in range(15, 20))
    with store.reading() as connection:
        parts = connection.execute("SELECT part, count(*) FROM quantity GROUP BY part").fetchall()
    assert parts == [(0, 15), (1, 5)]
    root = SqliteCatalogue(store, ADMIN)
    for unit, least in ((None, 12.0), ("meV", 12e6)):
        above = Condition(name="energy", op=">", value=least, unit=unit)
        found = await root.search(Query(conditions=(above,)))
        assert {one.pid for one in found.datasets} == {measured(n).pid for n in range(13, 20)}
    store.close()


def measured(number: int) -> Dataset:
    return synthetic_dataset(number, scientific={"energy": {"value": number, "unit": "keV"}})
