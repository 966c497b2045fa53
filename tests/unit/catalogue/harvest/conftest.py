"""A store that harvests, and repositories that are harvested: our own, and any XML."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.oai import HarvestReport, Repository, Wanted, harvest
from nearfield.catalogue.service import make_app
from nearfield.config.serving import ServeConfig

URL = "https://data.test/s/oai"
OPEN = ServeConfig(public=("oai",), url="https://data.test/s", admin_email="a@data.test")
Harvest = Callable[..., Awaitable[HarvestReport]]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[CatalogueStore]:
    """Ours, which is harvested."""
    made = CatalogueStore(tmp_path / "source/c.sqlite")
    yield made
    made.close()


@pytest.fixture
def provider(source: CatalogueStore) -> httpx.ASGITransport:
    return httpx.ASGITransport(make_app(source, None, "/s", serve=OPEN))


@pytest.fixture
def run_harvest(store: CatalogueStore, provider: httpx.ASGITransport) -> Harvest:
    """Harvests our own provider, or what ``transport`` answers."""

    async def run(
        transport: httpx.AsyncBaseTransport = provider, url: str = URL, **wanted: Any
    ) -> HarvestReport:
        repository = Repository(url, timeout=5, transport=transport)

        async def at_once(seconds: float) -> None:
            return None

        repository._client._sleep = at_once
        try:
            return await harvest(store, repository, Wanted(**wanted))
        finally:
            await repository.aclose()

    return run
