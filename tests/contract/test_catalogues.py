"""The catalogue drivers against the one suite; the service over real HTTP, with a fake hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

import pytest

from asgi import in_thread
from asgi.service import running
from nearfield.catalogue import Catalogue, CatalogueStore, ServiceCatalogue, SqliteCatalogue
from nearfield.catalogue._store import remove
from nearfield.config.sources import ServiceSource
from nearfield.datasets import DatasetFiles, Principal
from nearfield.errors import DatasetNotFoundError, DatasetNotPermittedError
from nearfield.testing.catalogue_contract import (
    ALICE,
    ALICES,
    BOBS,
    CHEMISTS,
    GUESTS,
    PUBLIC,
    SEED,
    CatalogueContract,
    a_result,
)
from nearfield.testing.fake_catalogue import FakeCatalogue, FakeStore

AsUser = Callable[[Principal], Catalogue]


class WithLinks(CatalogueContract):
    """What Nearfield's own catalogues do besides: the lean answer for the spawner."""

    async def test_links(self, as_user: AsUser) -> None:
        alice = _linking(as_user(ALICE))
        for dataset in (PUBLIC, ALICES, CHEMISTS, GUESTS):
            found = await alice.links(dataset.pid)
            assert (found.pid, found.slug, found.size) == (dataset.pid, dataset.slug, dataset.size)
            assert found.title == dataset.title
            assert found.paths == tuple(file.path for file in dataset.files)

    @pytest.mark.parametrize("pid", ["nope/404", "x", "..", BOBS.pid])
    async def test_links_of_what_may_not_be_seen(self, as_user: AsUser, pid: str) -> None:
        with pytest.raises((DatasetNotFoundError, DatasetNotPermittedError)) as refused:
            await _linking(as_user(ALICE)).links(pid)
        assert "vanadium" not in str(refused.value)

    async def test_links_of_a_result(self, as_user: AsUser) -> None:
        alice = as_user(ALICE)
        pid = await alice.derive(a_result())
        found = await _linking(alice).links(pid)
        assert found.paths == ("/home/alice/results/out.h5",)
        assert found.size == 12


class _Linking(Catalogue, Protocol):
    async def links(self, pid: str) -> DatasetFiles: ...


def _linking(catalogue: Catalogue) -> _Linking:
    return cast(_Linking, catalogue)


class TestFake(WithLinks):
    @pytest.fixture
    def as_user(self) -> AsUser:
        store = FakeStore({dataset.pid: dataset for dataset in SEED})
        return lambda user: FakeCatalogue(user, store=store)


class TestSqlite(WithLinks):
    @pytest.fixture
    def as_user(self, tmp_path: Path) -> Iterator[AsUser]:
        store = CatalogueStore(tmp_path / "catalogue.sqlite")
        store.register(SEED)
        yield lambda user: SqliteCatalogue(store, user)
        store.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CatalogueStore, str]]:
    """One service and one hub for all tests, in a thread; starting them takes a while."""
    store = CatalogueStore(tmp_path_factory.mktemp("service") / "catalogue.sqlite")
    with in_thread(lambda: running(store)) as url:
        yield store, url
    store.close()


class TestService(WithLinks):
    anonymous = False

    @pytest.fixture
    async def as_user(self, served: tuple[CatalogueStore, str]) -> AsyncIterator[AsUser]:
        store, url = served
        with store.writing() as connection:
            for (pid,) in connection.execute("SELECT pid FROM dataset").fetchall():
                remove(connection, pid)
        store.register(SEED)
        clients: list[ServiceCatalogue] = []

        def make(user: Principal) -> Catalogue:
            clients.append(self.client(url, f"token-of-{user.name}"))
            return clients[-1]

        yield make
        for client in clients:
            await client.aclose()

    def client(self, url: str, token: str) -> ServiceCatalogue:
        return ServiceCatalogue(url, token)


class Held:
    """A token that is there."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, *, fresh: bool = False) -> str:
        return self._token


class TestAnotherHub(TestService):
    """The service of `catalogues:`, with a token for it."""

    def client(self, url: str, token: str) -> ServiceCatalogue:
        settings = ServiceSource(driver="service", url=url, timeout=20)
        return ServiceCatalogue.from_settings("other", settings, token=Held(token))
