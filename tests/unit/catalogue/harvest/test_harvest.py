"""Harvests of our own provider: whole, what changed, deletions, interruptions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo

import httpx
import pytest

from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.catalogue._store import fetch, remove
from nearfield.catalogue.oai import HarvestReport, harvesting
from nearfield.catalogue.oai.harvesting import OVERLAP
from nearfield.datasets import Access, Dataset, Principal
from nearfield.errors import CatalogueError
from nearfield.querying import Query
from nearfield.testing.catalogue_contract import SEED
from nearfield.testing.synthetic import synthetic_dataset

Harvest = Callable[..., Awaitable[HarvestReport]]
COUNT = 250  # more than two pages
STRANGER = Principal(name="stranger")


def held(store: CatalogueStore) -> dict[str, Dataset]:
    with store.reading() as connection:
        pids = [pid for (pid,) in connection.execute("SELECT pid FROM dataset")]
        found = {pid: fetch(connection, pid) for pid in pids}
    return {pid: dataset for pid, dataset in found.items() if dataset is not None}


def long_ago(source: CatalogueStore) -> None:
    """All that has been announced is a year old."""
    with source.writing() as connection:
        connection.execute("UPDATE announced SET stamp = stamp - 31536000")


async def test_everything_public_is_there_afterwards(
    run_harvest: Harvest, source: CatalogueStore, store: CatalogueStore
) -> None:
    source.register(SEED)
    source.register(synthetic_dataset(number) for number in range(COUNT))
    report = await run_harvest()
    assert (report.pages, report.registered, report.failures) == (3, COUNT + 2, 0)
    assert report.format == "oai_datacite"
    found = held(store)
    assert {f"oai:data.test:{one.pid}" for one in SEED} & found.keys() == {
        "oai:data.test:public-1",
        "oai:data.test:lapsed-30",
    }
    one = found["oai:data.test:public-1"]
    assert (one.title, one.facility) == ("Silver behenate, calibration", "Müller-Straße Source")
    assert (one.creators, one.techniques) == (("Carol Example",), ("NXsas",))
    assert one.start_time == SEED[0].start_time
    assert one.access == Access(public=True)
    # Found by everybody, like any record.
    page = await SqliteCatalogue(store, STRANGER).search(Query(text="behenate"))
    assert [d.pid for d in page.datasets] == ["oai:data.test:public-1"]


async def test_later_only_what_changed(
    run_harvest: Harvest, source: CatalogueStore, store: CatalogueStore
) -> None:
    source.register(synthetic_dataset(number) for number in range(COUNT))
    await run_harvest()
    long_ago(source)
    source.register([synthetic_dataset(3, title="changed"), synthetic_dataset(999)])
    with source.writing() as connection:
        remove(connection, "synthetic-00004")
    source.register([synthetic_dataset(5, access=Access(owner="alice"))])
    report = await run_harvest()
    assert report.since is not None
    began = datetime.fromisoformat(report.since)
    assert (
        datetime.now(UTC) - OVERLAP - timedelta(minutes=1) < began < datetime.now(UTC) - OVERLAP / 2
    )
    assert (report.pages, report.registered, report.deleted) == (1, 2, 2)
    found = held(store)
    assert found["oai:data.test:synthetic-00003"].title == "changed"
    assert {f"oai:data.test:synthetic-0000{n}" for n in (4, 5)}.isdisjoint(found)
    assert len(found) == COUNT - 1
    # Nothing new: nothing is written, and everything that is asked again is as it was.
    again = await run_harvest()
    assert (again.registered, again.deleted, again.unchanged) == (0, 0, 2)
    full = await run_harvest(full=True)
    assert (full.since, full.unchanged, full.registered) == (None, COUNT - 1, 0)


async def test_nothing_at_all_is_no_error(run_harvest: Harvest) -> None:
    report = await run_harvest()
    assert (report.pages, report.registered) == (1, 0)
    report = await run_harvest(set="instrument:nowhere")
    assert report.registered == 0


class Breaking(httpx.AsyncBaseTransport):
    """Breaks down with the n-th page of records."""

    def __init__(self, inner: httpx.AsyncBaseTransport, page: int) -> None:
        self._inner, self.left, self.asked = inner, page, list[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "ListRecords" in str(request.url):
            self.asked.append(request.url.params.get("resumptionToken", ""))
            self.left -= 1
            if self.left < 0:
                raise httpx.ReadError("gone")
        return await self._inner.handle_async_request(request)


@pytest.mark.parametrize("pages", [0, 1, 2])
async def test_an_interrupted_harvest_goes_on_where_it_was(
    run_harvest: Harvest,
    source: CatalogueStore,
    store: CatalogueStore,
    provider: httpx.ASGITransport,
    pages: int,
) -> None:
    source.register(synthetic_dataset(number) for number in range(COUNT))
    with pytest.raises(CatalogueError, match=r"data\.test"):
        await run_harvest(Breaking(provider, pages))
    assert store.count() == 100 * pages
    working = Breaking(provider, 100)
    report = await run_harvest(working)
    # Not one page is asked for twice.
    assert (report.pages, report.resumed) == (3 - pages, pages > 0)
    assert bool(working.asked[0]) == (pages > 0)
    assert store.count() == COUNT
    # What changed since the first of the two began is asked for next.
    assert (await run_harvest()).since is not None


async def test_a_token_that_has_expired_begins_the_list_anew(
    run_harvest: Harvest,
    source: CatalogueStore,
    store: CatalogueStore,
    provider: httpx.ASGITransport,
) -> None:
    source.register(synthetic_dataset(number) for number in range(COUNT))
    with pytest.raises(CatalogueError):
        await run_harvest(Breaking(provider, 1))
    with store.writing() as connection:
        connection.execute("UPDATE harvest SET token = 'expired'")
    report = await run_harvest()
    assert report.resumed
    assert (report.registered, report.unchanged) == (COUNT - 100, 100)
    assert store.count() == COUNT


async def test_sets_and_formats_are_harvests_of_their_own(
    run_harvest: Harvest, source: CatalogueStore, store: CatalogueStore
) -> None:
    source.register(synthetic_dataset(n, instrument="ID10" if n else "ID19") for n in range(3))
    assert (await run_harvest(set="instrument:ID10")).registered == 2
    assert (await run_harvest(format="oai_dc", set="instrument:ID19")).registered == 1
    assert (await run_harvest(set="instrument:ID10")).since is not None
    assert (await run_harvest()).since is None
    with pytest.raises(CatalogueError, match="cannotDisseminateFormat"):
        await run_harvest(format="marc21")


async def test_what_results_refer_to_stays_and_says_so(
    run_harvest: Harvest, source: CatalogueStore, store: CatalogueStore
) -> None:
    source.register([synthetic_dataset(1)])
    await run_harvest()
    pid = "oai:data.test:synthetic-00001"
    store.register([synthetic_dataset(2, type="derived", input_datasets=(pid,))])
    with source.writing() as connection:
        remove(connection, "synthetic-00001")
    for _ in range(2):
        assert (await run_harvest()).deleted == 1
        assert len(held(store)[pid].warnings) == 1
    assert "deleted at its source" in held(store)[pid].warnings[0]


async def test_nobody_elses_record_is_touched(
    run_harvest: Harvest, source: CatalogueStore, store: CatalogueStore
) -> None:
    """A repository may claim any identifier."""
    source.register([synthetic_dataset(1), synthetic_dataset(2)])
    own = synthetic_dataset(7, pid="oai:data.test:synthetic-00001", title="not theirs")
    store.register([own])
    report = await run_harvest()
    assert (report.registered, report.failures) == (1, 1)
    with source.writing() as connection:
        remove(connection, "synthetic-00001")
    assert (await run_harvest()).failures == 1
    assert held(store)[own.pid].title == "not theirs"
    # Another repository under the same names: neither replaced nor deleted.
    report = await run_harvest(url="https://evil.test/s/oai")
    assert held(store)["oai:data.test:synthetic-00002"].pid
    assert report.registered == 0


async def test_a_clock_of_ours_that_is_ahead_leaves_nothing_out(
    run_harvest: Harvest, source: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A harvest without news is told no time by the repository: ours says nothing about it."""

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=1)

    source.register([synthetic_dataset(1)])
    long_ago(source)
    await run_harvest()
    monkeypatch.setattr(harvesting, "datetime", Tomorrow)
    assert (await run_harvest()).pages == 1
    monkeypatch.undo()
    source.register([synthetic_dataset(2)])
    assert (await run_harvest()).registered == 1
