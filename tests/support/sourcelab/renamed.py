"""A source that names its datasets itself, under the names of the contract suite."""

from __future__ import annotations

from collections.abc import Mapping

from nearfield.catalogue import Capabilities, Catalogue, Thumbnail
from nearfield.datasets import DataFile, Dataset, DerivedDataset
from nearfield.querying import Facets, Page, Query


class Renamed:
    """``catalogue`` with ``names`` (the suite's) for its PIDs; PIDs besides those stay."""

    def __init__(self, catalogue: Catalogue, names: Mapping[str, str]) -> None:
        self.name, self._inner, self._names = catalogue.name, catalogue, names
        self._back = {pid: name for name, pid in names.items()}

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    async def search(self, query: Query) -> Page:
        page = await self._inner.search(self._asked(query))
        return page.model_copy(update={"datasets": tuple(map(self._shown, page.datasets))})

    async def facets(self, query: Query) -> Facets:
        return await self._inner.facets(self._asked(query))

    async def get(self, pid: str) -> Dataset:
        return self._shown(await self._inner.get(self._pid(pid)))

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        return await self._inner.files(self._pid(pid))

    async def derive(self, dataset: DerivedDataset) -> str:
        pids = tuple(map(self._pid, dataset.input_datasets))
        return await self._inner.derive(dataset.model_copy(update={"input_datasets": pids}))

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        return await self._inner.thumbnail(self._pid(pid))

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _pid(self, name: str) -> str:
        return self._names.get(name, name)

    def _asked(self, query: Query) -> Query:
        if query.input_dataset is None:
            return query
        return query.model_copy(update={"input_dataset": self._pid(query.input_dataset)})

    def _shown(self, dataset: Dataset) -> Dataset:
        inputs = tuple(self._back.get(pid, pid) for pid in dataset.input_datasets)
        pid = self._back.get(dataset.pid, dataset.pid)
        return dataset.model_copy(update={"pid": pid, "input_datasets": inputs})
