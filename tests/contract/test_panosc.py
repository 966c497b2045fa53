"""The driver `panosc` against our own service, over a real socket.

The API shows public data alone. So each of the suite's people asks a server of their own, which
holds what they may see, all of it public; what it does not show to strangers is
tests/unit/catalogue/panosc_api's affair, and the last test's here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from asgi import in_thread, serving
from nearfield.catalogue import Catalogue, CatalogueStore
from nearfield.catalogue.panosc import PanoscCatalogue
from nearfield.catalogue.service import make_app
from nearfield.config.serving import ServeConfig
from nearfield.config.sources import PanoscSource
from nearfield.datasets import Access, Dataset, Principal
from nearfield.querying import Query
from nearfield.testing.catalogue_contract import (
    PEOPLE,
    SEED,
    SEEN_BY,
    AsUser,
    CatalogueContract,
)

OPEN = ServeConfig(public=("panosc",))


def as_panosc_has_it(dataset: Dataset) -> Dataset:
    """Without what the API has no word for; each dataset has a title."""
    return Dataset(
        pid=dataset.pid,
        title=dataset.name,
        techniques=dataset.techniques,
        technique_ids=dataset.technique_ids,
        instrument=dataset.instrument,
        facility=dataset.facility,
        sample=dataset.sample,
        proposal=dataset.proposal,
        start_time=dataset.start_time,
        size=dataset.size,
        files=dataset.files,
        scientific=dataset.scientific,
        access=dataset.access,
    )


def source(url: str, name: str = "pan") -> PanoscCatalogue:
    return PanoscCatalogue.from_settings(
        name, PanoscSource(driver="panosc", url=f"{url}/panosc/api", timeout=20)
    )


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One server for what each person sees, and `all` with the records as they are."""
    public = Access(public=True)
    held = {
        who: [as_panosc_has_it(one).model_copy(update={"access": public}) for one in seen]
        for who, seen in SEEN_BY.items()
    }
    with ExitStack() as stack:
        urls = {}
        for who, datasets in {**held, "all": list(SEED)}.items():
            store = CatalogueStore(tmp_path_factory.mktemp("panosc") / f"{who}.sqlite")
            stack.callback(store.close)
            store.register(datasets)
            app = make_app(store, None, "/s/", serve=OPEN)
            urls[who] = stack.enter_context(in_thread(lambda app=app: serving(app))) + "/s"
        yield urls


class TestPanosc(CatalogueContract):
    ranks = False

    @pytest.fixture
    async def as_user(self, servers: dict[str, str]) -> AsyncIterator[AsUser]:
        made: list[PanoscCatalogue] = []
        names = {principal.name: who for who, principal in PEOPLE.items()}

        def make(user: Principal) -> Catalogue:
            made.append(source(servers[names[user.name]]))
            return made[-1]

        yield make
        for one in made:
            await one.aclose()

    def held(self, dataset: Dataset) -> Dataset:
        return as_panosc_has_it(dataset)

    def listed(self, dataset: Dataset) -> Dataset:
        return self.held(dataset).model_copy(update={"access": Access(public=True)})

    def assert_held(self, catalogue: Catalogue, found: Dataset, seeded: Dataset) -> None:
        assert found.access == Access(public=True)
        as_seeded = found.model_copy(update={"access": seeded.access})
        super().assert_held(catalogue, as_seeded, seeded)


async def test_a_stranger_sees_what_is_public(servers: dict[str, str]) -> None:
    catalogue = source(servers["all"])
    page = await catalogue.search(Query())
    assert {one.pid for one in page.datasets} == {one.pid for one in SEEN_BY["anonymous"]}
    await catalogue.aclose()


async def test_many_pages(tmp_path: Path) -> None:
    from nearfield.testing.synthetic import synthetic_dataset

    store = CatalogueStore(tmp_path / "c.sqlite")
    store.register(synthetic_dataset(number) for number in range(1203))
    async with serving(make_app(store, None, "/", serve=OPEN)) as url:
        catalogue = source(url)
        query, seen = Query(limit=500), []
        while True:
            page = await catalogue.search(query)
            assert (page.total, page.total_exact) == (1203, True)
            seen += [one.pid for one in page.datasets]
            if page.next is None:
                break
            query = query.model_copy(update={"cursor": page.next})
        assert len(seen) == len(set(seen)) == 1203
        largest = await catalogue.search(Query(limit=1000))
        assert (len(largest.datasets), largest.next is not None) == (1000, True)
        facets = await catalogue.facets(Query())
        assert (facets["type"], facets.exact) == ({"raw": 1203}, True)
        await asyncio.gather(*(catalogue.get(pid) for pid in seen[:10]))
        await catalogue.aclose()
    store.close()
