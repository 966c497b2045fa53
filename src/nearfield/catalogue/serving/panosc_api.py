"""The PaNOSC search API over the public records of a catalogue.

https://github.com/panosc-eu/search-api: read-only, without a token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue.serving.allowance import within_time
from nearfield.catalogue.serving.announced import Announcements
from nearfield.catalogue.serving.loopback import (
    MAX_LIMIT,
    Filter,
    FilterError,
    Inclusion,
    compiled,
    read_where,
)
from nearfield.catalogue.serving.panosc_choice import Choice, choose
from nearfield.catalogue.serving.panosc_records import (
    DOCUMENT,
    FILE,
    INSTRUMENT,
    document_view,
    instrument_view,
    relations_of,
)
from nearfield.catalogue.sqlite import SqliteCatalogue
from nearfield.datasets import Dataset, Principal
from nearfield.errors import DatasetNotFoundError, DatasetNotPermittedError
from nearfield.querying import Query
from nearfield.querying.matching import holds

# No account has this name: of what is not public it sees nothing.
EVERYBODY = Principal(name="(everybody)")
MAX_LOOKED_AT = 10_000
MAX_NAMES = 1000
MAX_DOCUMENTS_LOOKED_AT = 100
NAMES_SECONDS = 60.0
_STEP = 200


class NotThereError(Exception):
    """No record of this identifier that everybody may see."""


class PanoscApi:
    """What the routes answer, as JSON values."""

    def __init__(self, store: CatalogueStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._catalogue, self._clock = SqliteCatalogue(store, EVERYBODY), clock
        self._known = Announcements(store)
        self._names: tuple[float, list[str]] = (-1.0, [])
        self._places: tuple[float, list[tuple[str, str | None]]] = (-1.0, [])

    async def datasets(self, wanted: Filter) -> list[dict[str, Any]]:
        """Raises FilterError."""
        choice = await self._choice(wanted)
        found: list[dict[str, Any]] = []
        if not choice.tests and choice.pids is None:
            page = await self._catalogue.search(
                choice.query.model_copy(update={"limit": wanted.limit, "offset": wanted.skip})
            )
            return await asyncio.to_thread(_views, choice, page.datasets)
        passed = 0
        async for batch in self._matching(choice):
            chosen = batch[max(0, wanted.skip - passed) :][: wanted.limit - len(found)]
            passed += len(batch)
            found += await asyncio.to_thread(_views, choice, chosen)
            if len(found) >= wanted.limit:
                break
        return found

    async def count(self, where: str | None) -> dict[str, Any]:
        """Raises FilterError."""
        choice = await self._choice(Filter(where=read_where(where)))
        if not choice.tests and choice.pids is None:
            page = await self._catalogue.search(choice.query.model_copy(update={"limit": 1}))
            # LoopBack knows no "at least": the number alone would be a wrong one.
            exact = {} if page.total_exact else {"exact": False}
            return {"count": page.total, **exact}
        return {"count": sum([len(batch) async for batch in self._matching(choice)])}

    async def dataset(self, pid: str, wanted: Filter) -> dict[str, Any]:
        """Raises NotThereError, FilterError."""
        choice, dataset = await self._choice(wanted), await self._get(pid)
        if not choice.holds(dataset):
            raise NotThereError(pid)
        return await asyncio.to_thread(choice.view, dataset)

    async def files(self, pid: str, wanted: Filter) -> list[dict[str, Any]]:
        """Raises NotThereError, FilterError."""
        test, dataset = compiled(wanted.where, FILE), await self._get(pid)

        def some() -> list[dict[str, Any]]:
            return [view for view in within_time(relations_of(dataset, "files")) if test(view)]

        found = await asyncio.to_thread(some)
        return found[wanted.skip : wanted.skip + wanted.limit]

    async def count_files(self, pid: str, where: str | None) -> dict[str, Any]:
        """Raises NotThereError, FilterError."""
        test, dataset = compiled(read_where(where), FILE), await self._get(pid)
        views = within_time(relations_of(dataset, "files"))
        return {"count": await asyncio.to_thread(lambda: sum(map(test, views)))}

    async def instruments(self, wanted: Filter) -> list[dict[str, Any]]:
        """Raises FilterError."""
        if wanted.include:
            raise FilterError("Instrument has no relations here")
        found = await self._chosen_instruments(wanted)
        return [_fields(one, wanted) for one in found[wanted.skip : wanted.skip + wanted.limit]]

    async def count_instruments(self, where: str | None) -> dict[str, Any]:
        """Raises FilterError."""
        return {"count": len(await self._chosen_instruments(Filter(where=read_where(where))))}

    async def instrument(self, pid: str) -> dict[str, Any]:
        """Raises NotThereError."""
        for view in await self._instruments():
            if view["pid"] == pid:
                return view
        raise NotThereError(pid)

    async def documents(self, wanted: Filter) -> list[dict[str, Any]]:
        """Raises FilterError."""
        names = await self._chosen_documents(wanted)
        if not any(inclusion.scope.where for inclusion in wanted.include):
            names = names[wanted.skip : wanted.skip + wanted.limit]
            found = [await self._document(name, wanted) for name in names]
            return [one for one in found if one is not None]
        if len(names) > MAX_DOCUMENTS_LOOKED_AT:
            raise FilterError(
                f"this looks into more than {MAX_DOCUMENTS_LOOKED_AT} documents: narrow where"
            )
        looked = [await self._document(name, wanted) for name in names]
        matching = [one for one in looked if one is not None]
        return matching[wanted.skip : wanted.skip + wanted.limit]

    async def count_documents(self, where: str | None) -> dict[str, Any]:
        """Raises FilterError."""
        return {"count": len(await self._chosen_documents(Filter(where=read_where(where))))}

    async def document(self, pid: str, wanted: Filter) -> dict[str, Any]:
        """Raises NotThereError, FilterError."""
        for name in await self._proposals():
            if document_view(name)["pid"] == pid:
                found = await self._document(name, wanted)
                if found is not None:
                    return found
        raise NotThereError(pid)

    async def _choice(self, wanted: Filter) -> Choice:
        named = any(one.relation in ("instrument", "instruments") for one in wanted.include)
        known = await self._instruments() if named else []
        every = known if 0 < len(known) < MAX_NAMES else None
        return choose(wanted, self._catalogue.capabilities.filters, every)

    async def _get(self, pid: str) -> Dataset:
        try:
            return await self._catalogue.get(pid)
        except (DatasetNotFoundError, DatasetNotPermittedError) as error:
            raise NotThereError(pid) from error

    async def _matching(self, choice: Choice) -> AsyncIterator[list[Dataset]]:
        """All that match, newest first, in batches."""
        if choice.pids is not None:
            some = []
            for pid in dict.fromkeys(choice.pids):
                try:
                    some.append(await self._catalogue.get(pid))
                except (DatasetNotFoundError, DatasetNotPermittedError):
                    continue
            if choice.query != Query():
                # The index was to do a part of the work; so few are looked up one by one instead.
                some = [one for one in some if await self._in_query(choice.query, one)]
            yield await asyncio.to_thread(_those, choice, some)
            return
        looked, cursor = 0, None
        while True:
            page = await self._catalogue.search(
                choice.query.model_copy(
                    update={
                        "limit": _STEP,
                        "cursor": cursor,
                        "offset": 0 if cursor else looked,
                    }
                )
            )
            yield await asyncio.to_thread(_those, choice, page.datasets)
            looked, cursor = looked + len(page.datasets), page.next
            if len(page.datasets) < _STEP:
                return
            if looked >= MAX_LOOKED_AT:
                raise FilterError(
                    f"this filter looks at more than {MAX_LOOKED_AT} datasets: add a condition on "
                    "text, techniques, instrument or creationDate"
                )

    async def _in_query(self, query: Query, dataset: Dataset) -> bool:
        return await asyncio.to_thread(holds, query, dataset)

    async def _instruments(self) -> list[dict[str, Any]]:
        """Those of public datasets; looked up anew once a minute, and so are the proposals."""
        if self._clock() >= self._places[0]:
            found = await asyncio.to_thread(self._known.places, MAX_NAMES)
            self._places = (self._clock() + NAMES_SECONDS, found)
        return [instrument_view(name, facility) for name, facility in self._places[1]]

    async def _proposals(self) -> list[str]:
        if self._clock() >= self._names[0]:
            found = await asyncio.to_thread(self._known.proposals, MAX_NAMES)
            self._names = (self._clock() + NAMES_SECONDS, found)
        return self._names[1]

    async def _chosen_instruments(self, wanted: Filter) -> list[dict[str, Any]]:
        test = compiled(_with_query(wanted), INSTRUMENT)
        views = await self._instruments()
        return [view for view in views if test(view)]

    async def _chosen_documents(self, wanted: Filter) -> list[str]:
        for inclusion in wanted.include:
            if inclusion.relation not in ("datasets", "members", "parameters"):
                raise FilterError("Document has: datasets, members, parameters")
        test = compiled(_with_query(wanted), DOCUMENT)
        return [name for name in await self._proposals() if test(document_view(name))]

    async def _document(self, proposal: str, wanted: Filter) -> dict[str, Any] | None:
        """One document; ``None`` where no dataset of it is what its scope wants."""
        found = document_view(proposal)
        for inclusion in wanted.include:
            if inclusion.relation != "datasets":
                found[inclusion.relation] = []
                if inclusion.scope.where:
                    return None
                continue
            scope = inclusion.scope
            terms = {"relation": "document", "scope": {"where": {"title": proposal}}}
            within = _including(scope, terms)
            datasets = await self.datasets(within)
            for one in datasets:
                one.pop("document", None)
            chooses = scope.where or any(inner.scope.where for inner in scope.include)
            if chooses and not datasets:
                return None
            found["datasets"] = datasets
        return _fields(found, wanted)


def _including(scope: Filter, relation: dict[str, Any]) -> Filter:
    inner = Inclusion(relation["relation"], Filter(where=relation["scope"]["where"]))
    return replace(scope, include=(*scope.include, inner), limit=min(scope.limit, MAX_LIMIT))


def _with_query(wanted: Filter) -> dict[str, Any]:
    if wanted.query is None:
        return wanted.where
    return {"and": [wanted.where, {"text": wanted.query}]}


def _fields(view: dict[str, Any], wanted: Filter) -> dict[str, Any]:
    if wanted.fields is None:
        return view
    return {name: value for name, value in view.items() if name in wanted.fields}


def _views(choice: Choice, datasets: Sequence[Dataset]) -> list[dict[str, Any]]:
    return [choice.view(dataset) for dataset in within_time(datasets)]


def _those(choice: Choice, datasets: Sequence[Dataset]) -> list[Dataset]:
    return [dataset for dataset in datasets if choice.holds(dataset)]
