"""A dataset is found by its DOI however that is written; a page goes on a while later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nearfield.catalogue import CatalogueStore, SqliteCatalogue, find
from nearfield.datasets import Access
from nearfield.errors import DatasetNotFoundError, UsageError
from nearfield.querying.language import parse
from nearfield.testing.catalogue_contract import ADMIN, ALICE
from nearfield.testing.synthetic import synthetic_dataset

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
HIDDEN = synthetic_dataset(1, pid="hidden", doi="10.5281/zenodo.9", access=Access(owner="bob"))
HERE = (
    synthetic_dataset(2, pid="10.5281/zenodo.123"),
    synthetic_dataset(3, pid="other-name", doi="https://doi.org/10.5281/ZENODO.77"),
    HIDDEN,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CatalogueStore]:
    made = CatalogueStore(tmp_path / "c.sqlite")
    made.register(HERE)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "pid"),
    [
        ("10.5281/ZENODO.123", "10.5281/zenodo.123"),
        ("https://doi.org/10.5281/Zenodo.123", "10.5281/zenodo.123"),
        ("10.5281/zenodo.77", "other-name"),
        ("doi:10.5281/zenodo.77", "other-name"),
        ("pid:10.5281/ZENODO.77", "other-name"),
    ],
)
async def test_by_its_doi(store: CatalogueStore, text: str, pid: str) -> None:
    page = await find(SqliteCatalogue(store, ALICE), parse(text))
    assert [one.pid for one in page.datasets] == [pid]


async def test_a_doi_shows_nobody_more_than_a_pid_does(store: CatalogueStore) -> None:
    assert (await SqliteCatalogue(store, ADMIN).get("10.5281/Zenodo.9")).pid == "hidden"
    with pytest.raises(DatasetNotFoundError):
        await SqliteCatalogue(store, ALICE).get("10.5281/zenodo.9")


async def test_the_last_hours_have_pages_a_minute_later_too(store: CatalogueStore) -> None:
    store.register(
        synthetic_dataset(number, pid=f"new-{number}", start_time=NOW - timedelta(hours=number))
        for number in range(1, 5)
    )
    alice = SqliteCatalogue(store, ALICE)
    first = parse("date:12h", now=NOW).model_copy(update={"limit": 2})
    page = await alice.search(first)
    assert [one.pid for one in page.datasets] == ["new-1", "new-2"]
    later = parse("date:12h", now=NOW + timedelta(minutes=1))
    rest = await alice.search(later.model_copy(update={"limit": 2, "cursor": page.next}))
    assert [one.pid for one in rest.datasets] == ["new-3", "new-4"]
    with pytest.raises(UsageError, match="cursor"):
        await alice.search(parse("film").model_copy(update={"cursor": page.next}))
