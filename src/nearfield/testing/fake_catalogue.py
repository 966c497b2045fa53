"""A catalogue in memory, held to the same contract suite as the real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nearfield.catalogue import Capabilities, Thumbnail
from nearfield.catalogue._derive import (
    check_may_write,
    check_same_request,
    derived_dataset,
    request_digest,
)
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
from nearfield.querying.cursors import cursor_of, position_in
from nearfield.querying.matching import holds, relevance
from nearfield.querying.times import instant

FACETS = ("type", "technique", "instrument", "facility", "format", "storage", "availability")


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
        after = position_in(query)
        found = sorted((_key(query, dataset), dataset.pid) for dataset in self._matching(query))
        rest = [one for one in found if after is None or _listed(one) > after]
        shown = rest[query.offset : query.offset + query.limit]
        more = len(rest) > query.offset + len(shown)
        return Page(
            datasets=tuple(self._given(self.store.datasets[pid]) for _, pid in shown),
            total=len(found),
            offset=query.offset,
            next=cursor_of(query, _listed(shown[-1])) if shown and more else None,
        )

    async def facets(self, query: Query) -> Facets:
        self._check()
        counts: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
        for dataset in self._matching(query):
            counts["technique"].update(set(dataset.techniques))
            for name in FACETS:
                value = getattr(dataset, name, None)
                counts[name].update([value] if value else [])
        return Facets(counts={name: dict(values.most_common()) for name, values in counts.items()})

    async def get(self, pid: str) -> Dataset:
        self._check()
        dataset = self.store.datasets.get(pid)
        if dataset is None or not dataset.access.visible_to(self.principal):
            raise not_found(pid)
        return self._given(dataset)

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        return (await self.get(pid)).files

    async def links(self, pid: str) -> DatasetFiles:
        """As the catalogues of the spawner have it; not of the protocol."""
        return links_of(await self.get(pid))

    async def derive(self, dataset: DerivedDataset) -> str:
        self._check()
        check_may_write(self.name, self.principal)
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
        inputs = [await self.get(name) for name in dataset.inputs_here]
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

    def _given(self, dataset: Dataset) -> Dataset:
        return dataset.model_copy(update={"source": self.name})

    def _matching(self, query: Query) -> Iterator[Dataset]:
        for dataset in self.store.datasets.values():
            if dataset.access.visible_to(self.principal) and holds(query, dataset):
                yield dataset


def _key(query: Query, dataset: Dataset) -> tuple[int, bool, float]:
    """The best first where that is asked for, then the newest, those without a time last."""
    time = dataset.start_time or dataset.created
    rank = relevance(query, dataset) if query.order == "relevance" else 0
    return (-rank, time is None, 0.0 if time is None else -instant(time))


def _listed(place: tuple[tuple[int, bool, float], str]) -> list[Any]:
    """As it comes back from JSON."""
    return [list(place[0]), place[1]]
