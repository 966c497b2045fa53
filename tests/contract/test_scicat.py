"""The driver ``scicat`` against the suite that all drivers pass, on a fake held to the OpenAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest

from nearfield.catalogue import Catalogue
from nearfield.catalogue.scicat import SciCatCatalogue
from nearfield.datasets import Dataset, Principal
from nearfield.testing.catalogue_contract import CatalogueContract
from sourcelab.scicat import asking, checked, filled, held, listed


class TestSciCat(CatalogueContract):
    """api v4."""

    ranks = False
    fake: ClassVar[dict[str, Any]] = {}
    settings: ClassVar[dict[str, Any]] = {}

    def held(self, dataset: Dataset) -> Dataset:
        return held(dataset)

    def listed(self, dataset: Dataset) -> Dataset:
        return listed(dataset)

    @pytest.fixture
    async def as_user(self) -> AsyncIterator[Callable[[Principal], Catalogue]]:
        transport = checked(filled(**self.fake))
        made: list[SciCatCatalogue] = []

        def make(user: Principal) -> Catalogue:
            made.append(asking(user, transport, **self.settings))
            return made[-1]

        yield make
        for one in made:
            await one.aclose()


class TestSciCatV3(TestSciCat):
    """A backend without v4, found out by asking. Its pages are counted off."""

    stable_pages = False
    fake: ClassVar[dict[str, Any]] = {"v4": False}

    def listed(self, dataset: Dataset) -> Dataset:
        # It cannot leave fields of a record out.
        return held(dataset).model_copy(update={"files": ()})


class TestWhereUsersNameNoPids(TestSciCat):
    """CREATE_DATASET_WITH_PID_GROUPS is empty, as it is by default."""

    fake: ClassVar[dict[str, Any]] = {"names_pids": False}


class TestWhereFiltersComputeNothing(TestSciCat):
    """A backend that refuses ``$expr``: times are looked at here, pages are counted off."""

    stable_pages = False
    fake: ClassVar[dict[str, Any]] = {"computes": False}
