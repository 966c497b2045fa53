"""The suite against a real SciCat; see docs/how-to/test-scicat.md. Collected only with its URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from nearfield.catalogue import Catalogue
from nearfield.catalogue.scicat import SciCatCatalogue
from nearfield.datasets import Dataset, Principal
from nearfield.testing.catalogue_contract import CatalogueContract
from sourcelab.scicat import held, listed
from sourcelab.scicat_live import Live


@pytest.fixture(scope="module")
def live() -> Live:
    return Live()


class TestLiveSciCat(CatalogueContract):
    """The same tests as on the fake, unchanged."""

    ranks = False

    def held(self, dataset: Dataset) -> Dataset:
        return held(dataset)

    def listed(self, dataset: Dataset) -> Dataset:
        return listed(dataset)

    @pytest.fixture
    async def as_user(self, live: Live) -> AsyncIterator[Callable[[Principal], Catalogue]]:
        live.seed()
        made: list[SciCatCatalogue] = []

        def make(user: Principal) -> Catalogue:
            made.append(live.catalogue(user))
            return made[-1]

        yield make
        for one in made:
            await one.aclose()
        live.clean()
