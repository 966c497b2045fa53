"""A catalogue in memory, held to the same contract suite as the real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nearfield.catalogue import Capabilities, Thumbnail
from nearfield.catalogue._derive import check_same_request, derived_dataset, request_digest
from nearfield.catalogue.sqlite import not_found
from nearfield.datasets import (
    DataFile,
    Dataset,
    DatasetFiles,
    DerivedDataset,
    Principal,
    derived_pid,
    links_of,
)
from nearfield.errors import CatalogueUnavailableError
from nearfield.querying import Facets, Page, Query
from nearfield.querying.matching import holds
from nearfield.querying.times import instant


@dataclass
class FakeStore:
    """What all users of one fake catalogue share. ``down`` makes every call fail."""

    datasets: dict[str, Dataset] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    thumbnails: dict[str, Thumbnail] = field(default_factory=dict)
    down: bool = False


class FakeCatalogue:
    """The catalogue as ``principal`` sees it; share a ``store`` to give several users one."""

    def __init__(
        self,
        principal: Principal,
        datasets: Iterable[Dataset] = (),
        *,
        store: FakeStore | None = None,
        name: str = "fake",
    ) -> None:
        self.name, self.principal = name, principal
        self.store = store if store is not None else FakeStore()
        self.store.datasets.update((dataset.pid, dataset) for dataset in datasets)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(derive=True, text_search=True, client_pids=True)

    async def search(self, query: Query) -> Page:
        self._check()
        found = sorted(self._matching(query), key=_newest_first)
        shown = found[query.offset : query.offset + query.limit]
        return Page(datasets=tuple(shown), total=len(found), offset=query.offset)

    async def facets(self, query: Query) -> Facets:
        self._check()
        counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("type", "technique", "instrument", "format")
        }
        for dataset in self._matching(query):
            counts["type"][dataset.type] += 1
            counts["technique"].update(set(dataset.techniques))
            counts["instrument"].update([dataset.instrument] if dataset.instrument else [])
            counts["format"].update([dataset.format] if dataset.format else [])
        return Facets(counts={name: dict(values.most_common()) for name, values in counts.items()})

    async def get(self, pid: str) -> Dataset:
        self._check()
        dataset = self.store.datasets.get(pid)
        if dataset is None or not dataset.access.visible_to(self.principal):
            raise not_found(pid)
        return dataset

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        return (await self.get(pid)).files

    async def links(self, pid: str) -> DatasetFiles:
        """As the catalogues of the spawner have it; not of the protocol."""
        return links_of(await self.get(pid))

    async def derive(self, dataset: DerivedDataset) -> str:
        self._check()
        pid, digest = derived_pid(self.name, dataset.run_id), request_digest(dataset)
        known = self.store.datasets.get(pid)
        if known is not None:
            check_same_request(
                dataset.run_id,
                digest,
                self.store.requests.get(pid),
                owner=known.access.owner,
                user=self.principal.name,
            )
            return pid
        inputs = [await self.get(name) for name in dataset.input_datasets]
        self.store.datasets[pid] = derived_dataset(
            pid, dataset, inputs, self.principal, datetime.now(UTC)
        )
        self.store.requests[pid] = digest
        return pid

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        await self.get(pid)
        return self.store.thumbnails.get(pid)

    async def aclose(self) -> None:
        """Nothing to release."""

    def _check(self) -> None:
        if self.store.down:
            raise CatalogueUnavailableError(f"catalogue {self.name}: no answer")

    def _matching(self, query: Query) -> Iterator[Dataset]:
        for dataset in self.store.datasets.values():
            if dataset.access.visible_to(self.principal) and holds(query, dataset):
                yield dataset


def _time(dataset: Dataset) -> float | None:
    time = dataset.start_time or dataset.created
    return None if time is None else instant(time)


def _newest_first(dataset: Dataset) -> tuple[bool, float, str]:
    time = _time(dataset)
    return (time is None, -(time or 0.0), dataset.pid)
