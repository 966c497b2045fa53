"""The spawn page's search: one language, all catalogues, and only what a session can have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nearfield.catalogue import FederatedCatalogue, FederatedSource
from nearfield.config import parse_config
from nearfield.datasets import DataFile, Dataset, Principal
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    QuerySyntaxError,
    UsageError,
)
from nearfield.querying import Query, SummaryPage, summary_of
from nearfield.testing.fake_catalogue import FakeCatalogue
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset
from nearfield_spawners import plan
from nearfield_spawners.catalogues import NoFileToken, foreign, tokens_of
from nearfield_spawners.hub_api.datasets import DatasetsAsked, find, find_everywhere
from nearfield_spawners.provider_tokens import UserTokens

SITE = parse_config(
    """
    catalogue: {name: home, driver: service, url: "https://hub.test/catalogue"}
    storages: {raw: {prefix: /gpfs/raw, also: [/asap3]}}
    catalogues:
      far: {driver: panosc, url: "https://far.test", token: hub, audience: far}
      mine: {driver: panosc, url: "https://mine.test", token: file}
      open: {driver: panosc, url: "https://open.test"}
    """,
    "test.yaml",
)
USER = Principal(name="alice", admin=True)
DOI = "10.5281/zenodo.7"


class Home(FakeCatalogue):
    """The shared service as the spawn page asks it."""

    async def summaries(self, query: Query, pids: Any = ()) -> SummaryPage:
        page = await self.search(query)
        found = [d for d in page.datasets if not pids or d.pid in pids]
        return SummaryPage(
            datasets=tuple(summary_of(d, DAY_ONE) for d in found),
            total=len(found) if pids else page.total,
            next=page.next,
        )


def made(pid: str, path: str, **fields: object) -> Dataset:
    file = DataFile(path=path, size=1, mtime=DAY_ONE)
    return synthetic_dataset(1, **{"pid": pid, "files": (file,), "storage": None, **fields})


@pytest.fixture
def home() -> Home:
    return Home(USER, [made("h-1", "/gpfs/raw/h", instrument="ID10", storage="raw")], name="home")


@pytest.fixture
def far() -> FakeCatalogue:
    return FakeCatalogue(
        USER,
        [
            made(DOI, "/asap3/p08/a.h5"),
            made("10.5281/zenodo.8", "/elsewhere/b.h5"),
            made("42", "/asap3/p08/c.h5"),
        ],
        name="far",
    )


@pytest.fixture
def everywhere(home: Home, far: FakeCatalogue) -> FederatedCatalogue:
    sources = [FederatedSource("home", home), FederatedSource("far", far)]
    return FederatedCatalogue(sources, site=SITE)


async def test_the_language_and_its_errors(home: Home, everywhere: FederatedCatalogue) -> None:
    ask: Any = home
    assert (await find(ask, DatasetsAsked(text="instrument:ID10"))).total == 1
    assert (await find(ask, DatasetsAsked(text="instrument:ID11"))).total == 0
    assert (await find(ask, DatasetsAsked(text="pid:h-1"))).datasets[0].pid == "h-1"
    for search in (find(ask, bad()), find_everywhere(ask, everywhere, bad())):
        with pytest.raises(QuerySyntaxError) as refused:
            await search
        assert refused.value.position == 5


def bad() -> DatasetsAsked:
    return DatasetsAsked(text="film instrment:ID10")


async def test_what_lies_on_no_storage_is_shown_with_the_reason(
    home: Home, everywhere: FederatedCatalogue
) -> None:
    ask: Any = home
    found = await find_everywhere(ask, everywhere, DatasetsAsked())
    assert {d.pid: (d.source, d.storage) for d in found.datasets} == {
        "h-1": ("home", "raw"),
        DOI: ("far", "raw"),
        "10.5281/zenodo.8": ("far", None),
        "42": ("far", "raw"),
    }
    assert found.unusable == {
        "10.5281/zenodo.8": "It lies on no storage of this site.",
        "42": "Its PID is a number of far alone: open it in a session.",
    }
    assert [state.source for state in found.sources] == ["home", "far"]


async def test_pages_and_named_datasets(home: Home, everywhere: FederatedCatalogue) -> None:
    ask: Any = home
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        page = await find_everywhere(ask, everywhere, DatasetsAsked(limit=1, cursor=cursor))
        seen += [dataset.pid for dataset in page.datasets]
        cursor = page.next
    assert (len(set(seen)), cursor) == (4, None)
    named = await find_everywhere(ask, everywhere, DatasetsAsked(pids=(DOI, "h-1", "gone")))
    assert [dataset.pid for dataset in named.datasets] == ["h-1", DOI]


class TestLinks:
    @pytest.fixture(autouse=True)
    def catalogues(
        self, home: Home, everywhere: FederatedCatalogue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(plan, "home_of", lambda config, token: home)
        monkeypatch.setattr(plan, "all_of", lambda config, home, tokens: everywhere)

    async def find(self, *pids: str) -> list[tuple[str, ...]]:
        tokens = tokens_of(None, SITE)
        found = await plan.find_datasets(SITE, pids, "token", tokens=tokens)
        return [one.paths for one in found]

    async def test_paths_are_the_sites_own(self) -> None:
        assert await self.find("h-1", DOI) == [("/gpfs/raw/h",), ("/gpfs/raw/p08/a.h5",)]

    @pytest.mark.parametrize("pid", ["10.5281/zenodo.8", "42"])
    async def test_what_cannot_be_chosen_is_refused_however_it_is_asked(self, pid: str) -> None:
        with pytest.raises(UsageError, match="cannot be chosen"):
            await self.find(pid)

    async def test_what_is_nowhere(self, far: FakeCatalogue) -> None:
        with pytest.raises(DatasetNotFoundError):
            await self.find("gone")
        far.store.down = True
        with pytest.raises(CatalogueUnavailableError):
            await self.find(DOI)
        # What the home has does not wait for others.
        assert await self.find("h-1")

    async def test_without_further_sources_only_the_home_is_asked(self) -> None:
        with pytest.raises(DatasetNotFoundError):
            await plan.find_datasets(SITE, [DOI], "token")


async def test_tokens_are_the_users_and_a_file_is_not_read_by_the_hub() -> None:
    user = SimpleNamespace(name="alice")
    given = tokens_of(user, SITE)
    assert isinstance(given("far", SITE.catalogues["far"]), UserTokens)
    assert given("open", SITE.catalogues["open"]) is None
    mine = given("mine", SITE.catalogues["mine"])
    assert isinstance(mine, NoFileToken)
    with pytest.raises(BlockedError, match="mine"):
        await mine.token()
    spawner = SimpleNamespace(user=user, live=SimpleNamespace(config=SITE))
    assert set(foreign(spawner)) == {"tokens"}
    spawner.live.config = SITE.model_copy(update={"catalogues": {}})
    assert foreign(spawner) == {}
