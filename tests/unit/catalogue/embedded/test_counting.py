"""Totals and facets: kept by the writers, counted, or cut short and said so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.catalogue import _search as searching
from nearfield.catalogue import _select as selecting
from nearfield.catalogue._store import remove
from nearfield.datasets import Access, Dataset, Principal
from nearfield.querying import Condition, Query
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

ALICE = Principal(name="alice", groups=frozenset({"chemists"}))
ROOT = Principal(name="root", admin=True)
OTHER = Principal(name="eve")


def some(count: int) -> list[Dataset]:
    return [
        synthetic_dataset(
            n,
            instrument=f"P{n % 3:02d}",
            techniques=("NXsas",) if n % 2 else ("NXtomo", "CT"),
            access=Access(owner="alice", public=n % 2 == 0),
        )
        for n in range(count)
    ]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "COUNTED", 10)


@pytest.mark.usefixtures("few")
async def test_what_is_counted_no_further_is_told(store: CatalogueStore) -> None:
    store.register(some(30))
    catalogue = SqliteCatalogue(store, ROOT)
    page = await catalogue.search(Query(text="synthetic", limit=4))
    assert (page.total, page.total_exact, len(page.datasets)) == (10, False, 4)
    facets = await catalogue.facets(Query(text="synthetic"))
    assert not facets.exact
    # A lower bound: counted over the newest.
    assert sum(facets["type"].values()) == 11
    assert {one.pid for one in page.datasets} == {f"synthetic-{n:05d}" for n in range(26, 30)}
    # Behind the bound the total grows with what is known.
    page = await catalogue.search(Query(text="synthetic", limit=4, offset=20))
    assert (page.total, page.total_exact) == (24, False)
    page = await catalogue.search(Query(text="synthetic", order="relevance", limit=4))
    assert (page.total, page.total_exact) == (10, False)


@pytest.mark.usefixtures("few")
async def test_at_the_bound_itself_all_is_exact(store: CatalogueStore) -> None:
    store.register(some(10))
    catalogue = SqliteCatalogue(store, ROOT)
    page = await catalogue.search(Query(text="synthetic"))
    assert (page.total, page.total_exact) == (10, True)
    assert (await catalogue.facets(Query(text="synthetic"))).exact


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("user", "seen"), [(ROOT, 30), (ALICE, 30), (OTHER, 15)])
async def test_fields_of_few_values_are_counted_exactly_however_many(
    store: CatalogueStore, user: Principal, seen: int
) -> None:
    store.register(some(30))
    catalogue = SqliteCatalogue(store, user)
    page = await catalogue.search(Query(limit=1))
    assert (page.total, page.total_exact) == (seen, True)
    facets = await catalogue.facets(Query())
    assert facets.exact
    assert sum(facets["instrument"].values()) == seen
    page = await catalogue.search(Query(technique=("NXtomo",), instrument=("p00",), limit=1))
    assert (page.total, page.total_exact) == (5, True)
    facets = await catalogue.facets(Query(technique=("NXtomo",), instrument=("p00",)))
    assert facets.counts["technique"] == {"CT": 5, "NXtomo": 5}


async def test_counts_follow_what_is_written(store: CatalogueStore) -> None:
    catalogue = SqliteCatalogue(store, OTHER)
    store.register(some(6))
    store.register([synthetic_dataset(0, instrument="P99", access=Access(public=True))])
    assert (await catalogue.facets(Query()))["instrument"] == {"P01": 1, "P02": 1, "P99": 1}
    store.register([synthetic_dataset(0, access=Access(owner="alice"))])
    assert (await catalogue.facets(Query()))["instrument"] == {"P01": 1, "P02": 1}
    with store.writing() as connection:
        remove(connection, "synthetic-00002")
        remove(connection, "synthetic-00002")
    assert (await catalogue.facets(Query()))["instrument"] == {"P01": 1}
    assert (await catalogue.search(Query())).total == 1
    # The same PID twice in one batch counts once.
    store.register([*some(6), *some(6)])
    assert (await catalogue.search(Query())).total == 3


async def test_a_transaction_that_failed_leaves_no_numbers_behind(store: CatalogueStore) -> None:
    def broken() -> None:
        with store.writing() as connection:
            from nearfield.catalogue._prepared import prepared
            from nearfield.catalogue._records import put_all

            put_all(connection, [prepared(one) for one in some(3)], store._numbers)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    store.register([synthetic_dataset(9, instrument="X", access=Access(owner_group="chemists"))])
    store.register(some(3))
    facets = await SqliteCatalogue(store, ALICE).facets(Query())
    assert facets["instrument"] == {"P00": 1, "P01": 1, "P02": 1, "X": 1}
    assert (await SqliteCatalogue(store, OTHER).facets(Query()))["type"] == {"raw": 2}


@pytest.mark.parametrize(("few", "fewest"), [(0, 0), (1, 0), (1000, 0), (1000, 1000)])
@pytest.mark.parametrize("fields", [{}, {"text": "synthetic"}, {"format": "nexus"}])
async def test_few_or_many_satisfy_a_condition(
    store: CatalogueStore,
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    fewest: int,
    fields: dict[str, str],
) -> None:
    """Whichever way it is looked up, the same is found."""
    monkeypatch.setattr(selecting, "FEW", few)
    monkeypatch.setattr(selecting, "FEWEST", fewest)
    store.register(
        synthetic_dataset(n, scientific={"t": {"value": n, "unit": "K"}}) for n in range(20)
    )
    condition = Condition(name="t", op="<", value=5, unit="K")
    query = Query.model_validate({**fields, "conditions": (condition,)})
    for user in (ROOT, OTHER):
        page = await SqliteCatalogue(store, user).search(query)
        assert [one.pid for one in page.datasets] == [f"synthetic-{n:05d}" for n in (4, 3, 2, 1, 0)]


async def test_very_many_of_one_time(store: CatalogueStore) -> None:
    """Records with a date alone: more than there are numbers for one millisecond."""
    count = 9000
    store.load(
        synthetic_dataset(n, start_time=DAY_ONE if n else DAY_ONE + timedelta(days=1))
        for n in range(count)
    )
    catalogue = SqliteCatalogue(store, ROOT)
    assert store.count() == count
    assert (await catalogue.search(Query(limit=1))).datasets[0].pid == "synthetic-00000"
    page = await catalogue.search(Query(since=DAY_ONE, until=DAY_ONE, limit=1000))
    assert (page.total, page.total_exact) == (count - 1, True)
    seen = {one.pid for one in page.datasets}
    while page.next:
        page = await catalogue.search(
            Query(since=DAY_ONE, until=DAY_ONE, limit=1000, cursor=page.next)
        )
        seen |= {one.pid for one in page.datasets}
    assert len(seen) == count - 1


async def test_an_embargo_ends_by_itself(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = datetime(2031, 5, 1, tzinfo=UTC)
    access = Access(owner="alice", public=True, embargo_until=ends)
    store.register([synthetic_dataset(1, access=access)])
    catalogue = SqliteCatalogue(store, OTHER)
    for now, seen in ((ends - timedelta(seconds=1), 0), (ends, 1), (ends + timedelta(1), 1)):
        monkeypatch.setattr("nearfield.catalogue.sqlite._now", now.timestamp)
        page = await catalogue.search(Query(text="synthetic"))
        assert (page.total, len(page.datasets)) == (seen, seen)
        assert sum((await catalogue.facets(Query()))["type"].values()) == seen


async def test_readers_of_very_many_groups_see_the_same(store: CatalogueStore) -> None:
    count = selecting.MAX_KEYS + 20
    store.register(synthetic_dataset(n, access=Access(owner_group=f"g{n}")) for n in range(count))
    for held in (1, selecting.MAX_KEYS - 1, selecting.MAX_KEYS, count):
        user = Principal(name="x", groups=frozenset(f"g{n}" for n in range(held)))
        for query in (Query(limit=1000), Query(text="synthetic", limit=1000)):
            page = await SqliteCatalogue(store, user).search(query)
            assert page.total == len(page.datasets) == held


async def test_what_is_looked_up_hit_by_hit_is_counted_less_far(
    store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "COUNTED", 100)
    monkeypatch.setattr(selecting, "FEW", 0)
    store.register(
        synthetic_dataset(n, scientific={"t": {"value": n, "unit": "K"}}) for n in range(40)
    )
    catalogue = SqliteCatalogue(store, OTHER)
    for least, total, exact in ((30, 10, True), (29, 10, False), (0, 10, False)):
        condition = Condition(name="t", op=">=", value=least, unit="K")
        page = await catalogue.search(Query(conditions=(condition,), limit=5))
        assert (page.total, page.total_exact, len(page.datasets)) == (total, exact, 5)
        assert (await catalogue.facets(Query(conditions=(condition,)))).exact is exact
