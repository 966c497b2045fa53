"""What a page costs does not grow with the catalogue: it is read off an index, in its order."""

from __future__ import annotations

import sqlite3

import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.serving.announced import Announcements, Selection
from nearfield.testing.synthetic import synthetic_dataset


@pytest.mark.parametrize(
    "chosen",
    [
        Selection(),
        Selection(since=1, until=2),
        Selection(type="raw"),
        Selection(type="derived"),
        Selection(instrument="ID10"),
        Selection(measured=True),
    ],
    ids=["all", "span", "raw", "derived", "instrument", "measured"],
)
def test_nothing_is_sorted(
    store: CatalogueStore, chosen: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Announcements(store)
    store.register(synthetic_dataset(n, instrument=f"ID{n}") for n in range(50))
    asked: list[tuple[str, object]] = []
    with store.reading() as connection:
        connection.set_trace_callback(lambda said: asked.append((said, None)))
        connection.execute("SELECT 1").fetchall()
    # The store's one idle connection is the one that is traced.
    known.page(chosen, (1, "x"), 10)
    statement = next(said for said, _ in asked if "ORDER BY stamp" in said)
    with sqlite3.connect(store.path) as other:
        plan = [step for *_, step in other.execute(f"EXPLAIN QUERY PLAN {statement}")]
    other.close()
    assert not [step for step in plan if "TEMP B-TREE" in step]
    assert all("USING" in step and "INDEX" in step for step in plan), plan


def test_names_are_stepped_through_not_scanned(store: CatalogueStore) -> None:
    known = Announcements(store)
    store.register(
        synthetic_dataset(n, instrument=f"ID{n % 3}", proposal=f"P-{n % 4}", facility="Ring")
        for n in range(500)
    )
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with store.reading() as connection:
        connection.set_progress_handler(count, 1)
    assert known.instruments(100) == ["ID0", "ID1", "ID2"]
    assert known.proposals(100) == ["P-0", "P-1", "P-2", "P-3"]
    assert known.places(100) == [("ID0", "Ring"), ("ID1", "Ring"), ("ID2", "Ring")]
    # A scan takes some steps of SQLite's machine for each of the 500 records.
    assert steps < 1500
