"""Sources that do as a test says: answer when told to, hang, fail, know cursors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest

from nearfield.catalogue import Capabilities, FederatedCatalogue, FederatedSource, check_supported
from nearfield.datasets import Dataset, Principal
from nearfield.querying import Facets, Page, Query
from nearfield.testing.fake_catalogue import FakeCatalogue
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

USER = Principal(name="alice", admin=True)


def made(name: str, day: int, **fields: object) -> Dataset:
    """A dataset of that PID, measured on that day."""
    time = DAY_ONE + timedelta(days=day)
    return synthetic_dataset(day + 1, pid=name, start_time=time, **fields)


class Source(FakeCatalogue):
    """A fake whose answers wait for ``open``; it counts what it is asked and what is given up."""

    def __init__(
        self,
        name: str,
        datasets: Iterable[Dataset] = (),
        *,
        fault: Exception | None = None,
        hangs: bool = False,
        cursors: bool = False,
        filters: frozenset[str] | None = None,
    ) -> None:
        super().__init__(USER, datasets, name=name)
        self.fault, self.cursors, self.filters = fault, cursors, filters
        self.open = asyncio.Event()
        if not hangs:
            self.open.set()
        self.asked: list[Query] = []
        self.given_up = 0
        self.closed = False

    @property
    def capabilities(self) -> Capabilities:
        known = super().capabilities
        return known if self.filters is None else Capabilities(filters=self.filters)

    async def search(self, query: Query) -> Page:
        self.asked.append(query)
        await self._wait()
        check_supported(self.name, self.capabilities, query)
        if not self.cursors:
            return await super().search(query)
        # A cursor that only this source can read: how many come before, backwards.
        start = int((query.cursor or "0#")[:-1][::-1])
        page = await super().search(query.model_copy(update={"cursor": None, "offset": start}))
        end = start + len(page.datasets)
        after = f"{end}"[::-1] + "#" if end < page.total else None
        return page.model_copy(update={"next": after, "offset": 0})

    async def facets(self, query: Query) -> Facets:
        await self._wait()
        return await super().facets(query)

    async def get(self, pid: str) -> Dataset:
        await self._wait()
        return await super().get(pid)

    async def aclose(self) -> None:
        self.closed = True
        if self.fault:
            raise self.fault

    async def _wait(self) -> None:
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.fault:
            raise self.fault


def federation(*sources: Source, timeout: float = 60.0) -> FederatedCatalogue:
    return FederatedCatalogue([FederatedSource(one.name, one, timeout) for one in sources])


@pytest.fixture
def many() -> list[Dataset]:
    return [made(f"{place}-{day}", day) for day in range(12) for place in ("home", "far")]
