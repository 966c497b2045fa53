"""The driver ``icat`` against the suite that all drivers pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from nearfield.catalogue import Catalogue
from nearfield.datasets import Dataset, Principal
from nearfield.testing.catalogue_contract import CatalogueContract
from sourcelab.icat import PIDS, filled, held, seen_by
from sourcelab.renamed import Renamed


class TestIcat(CatalogueContract):
    stable_pages = False
    ranks = False
    absent = PIDS.of(404404)

    def named(self, pid: str) -> str:
        return self.names.get(pid, pid)

    def held(self, dataset: Dataset) -> Dataset:
        return held(dataset)

    def listed(self, dataset: Dataset) -> Dataset:
        # A page tells the size of all files, not which they are.
        return held(dataset).model_copy(update={"files": ()})

    def sees(self, user: Principal, dataset: Dataset) -> bool:
        # ICAT's records tell no owners and groups: its rules decide.
        return dataset.access.visible_to(user)

    @pytest.fixture
    async def as_user(self) -> AsyncIterator[Callable[[Principal], Catalogue]]:
        icat, self.names = filled()
        made: list[Renamed] = []

        def make(user: Principal) -> Catalogue:
            made.append(seen_by(user, icat, self.names))
            return made[-1]

        yield make
        for one in made:
            await one.aclose()
        # Whoever logged in has logged out.
        assert not icat.sessions
