"""The driver ``panosc``: https://github.com/panosc-eu/search-api."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from nearfield.catalogue._http import SourceClient, segment
from nearfield.catalogue._offsets import first_of, next_of
from nearfield.catalogue._pids import original
from nearfield.catalogue._protocol import Capabilities, Thumbnail, check_supported
from nearfield.catalogue._tokens import TokenSource
from nearfield.catalogue.panosc.filters import (
    FILTERS,
    Words,
    finds_nothing,
    fits,
    is_looked_at,
    one_filter,
    only_where,
    probe_filter,
    search_filter,
    search_where,
    without_documents,
)
from nearfield.catalogue.panosc.mapping import dataset_of, datasets_of
from nearfield.catalogue.sqlite import not_found
from nearfield.config.sources import PanoscSource
from nearfield.datasets import DataFile, Dataset, DerivedDataset
from nearfield.errors import CatalogueError, CatalogueUnavailableError, SourceStatusError
from nearfield.querying import Facets, Page, Query, SourceState
from nearfield.querying.words import words_of

MAX_LIMIT = 1000
MAX_COUNTED = 2000
"""Facets are counted over so many datasets at most: the API has none."""
_STEP = 500
_OTHER_WORDS: tuple[Words, ...] = ("like", "plain")
_LIST: TypeAdapter[list[object]] = TypeAdapter(list[object])
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class _Count(BaseModel):
    model_config = ConfigDict(extra="ignore")

    count: int = Field(ge=0)
    exact: bool = True


_COUNT: TypeAdapter[_Count] = TypeAdapter(_Count)


class PanoscCatalogue:
    """One server of the PaNOSC search API.

    A server knows public data alone and takes none. How it understands words, and which
    techniques are narrower than which, is its own affair.
    """

    def __init__(self, name: str, client: SourceClient) -> None:
        self.name, self._client = name, client
        self._documents = True
        self._words: Words = "text"
        self._text_works = False

    @classmethod
    def from_settings(
        cls,
        name: str,
        settings: PanoscSource,
        *,
        token: TokenSource | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> PanoscCatalogue:
        """The source that ``nearfield.yaml`` names."""
        client = SourceClient(
            name, settings.url, token=token, timeout=settings.timeout, transport=transport
        )
        return cls(name, client)

    def __repr__(self) -> str:
        return f"PanoscCatalogue({self._client.url!r}, name={self.name!r})"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(derive=False, filters=FILTERS)

    async def search(self, query: Query) -> Page:
        """Newest first, if the server does it so: the API has no order.

        Raises:
            UnsupportedQueryError: a condition that the API does not have.
            UsageError: a cursor of another search.
            CatalogueError: the server's failures, with its name.
        """
        first = self._check(query)
        if self._is_out(query):
            return Page(datasets=(), total=0, offset=first)
        # One more than is wanted tells whether there is a next page.
        limit = min(query.limit + 1, MAX_LIMIT)
        said = await self._page(query, limit, first)
        more = len(said) > query.limit or len(said) == MAX_LIMIT
        shown = said[: query.limit]
        datasets, bad = datasets_of(shown, self.name)
        seen = first + len(said)
        total, exact = seen, not more and (bool(said) or first == 0)
        if not exact and only_where(query):
            total, exact = await self._count(query)
        if is_looked_at(query):
            found, datasets = len(datasets), tuple(one for one in datasets if fits(query, one))
            # On further pages it is not known how many the pages before had too many.
            total, exact = total - (found - len(datasets)), exact and first == 0
        return Page(
            datasets=datasets,
            total=max(total, seen) if more and not is_looked_at(query) else total,
            total_exact=exact,
            offset=first,
            next=next_of(query, first, len(shown), max(total, seen + 1 if more else seen)),
            sources=self._state(bad, total, exact),
        )

    async def facets(self, query: Query) -> Facets:
        """Counted over what is found, up to a bound. Raises as :meth:`search`."""
        self._check(query.model_copy(update={"cursor": None, "offset": 0}))
        counts: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("type", "technique", "instrument", "facility", "sample", "format")
        }
        exact, seen = True, 0
        while not self._is_out(query):
            said = await self._page(query, _STEP, seen)
            _tally(counts, (one for one in datasets_of(said, self.name)[0] if fits(query, one)))
            seen += len(said)
            if len(said) < _STEP:
                break
            if seen >= MAX_COUNTED:
                exact = False
                break
        ordered = {
            name: dict(sorted(counter.items(), key=lambda one: (-one[1], one[0])))
            for name, counter in counts.items()
        }
        return Facets(counts=ordered, exact=exact)

    async def get(self, pid: str) -> Dataset:
        """Raises DatasetNotFoundError; CatalogueError where the answer is no dataset."""
        said = await self._one(pid, one_filter(), _OBJECT)
        try:
            return dataset_of(said, self.name)
        except ValidationError as error:
            raise CatalogueError(
                f"{self.name}: an answer that is not a dataset of the PaNOSC search API",
                hint="check its url: it is what comes before /Datasets",
            ) from error

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        return (await self.get(pid)).files

    async def derive(self, dataset: DerivedDataset) -> str:
        """Raises CatalogueError: the API takes nothing."""
        raise CatalogueError(
            f"{self.name}: takes no results: the PaNOSC search API is for reading",
            hint="publish to another catalogue",
        )

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        await self._one(pid, {"fields": ["pid"]}, _OBJECT)
        return None

    async def aclose(self) -> None:
        await self._client.aclose()

    def _check(self, query: Query) -> int:
        check_supported(self.name, self.capabilities, query)
        return first_of(query)

    def _is_out(self, query: Query) -> bool:
        elsewhere = bool(query.source) and self.name not in query.source
        return elsewhere or finds_nothing(query)

    async def _page(self, query: Query, limit: int, skip: int) -> list[object]:
        found = await self._listed(search_filter(query, limit, skip, self._words), limit)
        if found or skip or self._words != "text" or not words_of(query.text):
            return found
        if self._text_works or await self._knows_text():
            return found
        for words in _OTHER_WORDS:
            try:
                found = await self._listed(search_filter(query, limit, skip, words), limit)
            except SourceStatusError:
                continue
            if found:
                self._words = words
                break
        return found

    async def _listed(self, said: dict[str, Any], limit: int) -> list[object]:
        found: list[object] = await self._ask("Datasets", said, _LIST)
        # A server that does not know `limit` must not make more of a page than was asked for.
        return found[:limit]

    async def _knows_text(self) -> bool:
        """Does it find a dataset that it has by a word of its title, asked for as others are?

        Nothing was found by words. That may be true; or the server does not understand them.
        """
        for one in await self._listed({"limit": 5, "skip": 0}, 5):
            title = one.get("title") if isinstance(one, dict) else None
            probe = probe_filter(title) if isinstance(title, str) else None
            if probe is not None:
                self._text_works = bool(await self._listed(probe, 1))
                return self._text_works
        return True

    async def _count(self, query: Query) -> tuple[int, bool]:
        where = search_where(query, self._words)
        params = {"where": _json(where)} if where else {}
        found: _Count = await self._client.json(
            "GET", "Datasets/count", params=params, adapter=_COUNT
        )
        return found.count, found.exact

    async def _one(self, pid: str, said: dict[str, Any], adapter: TypeAdapter[Any]) -> Any:
        known = original(pid)
        if known is None:
            raise not_found(pid)
        try:
            return await self._ask(f"Datasets/{segment(known)}", said, adapter)
        except SourceStatusError as error:
            if error.status == 404:
                raise not_found(pid) from error
            raise

    async def _ask(self, path: str, said: dict[str, Any], adapter: TypeAdapter[Any]) -> Any:
        """The reference server knows no documents of a dataset and refuses: then without."""
        if not self._documents:
            said = without_documents(said)
        try:
            return await self._client.json(
                "GET", path, params={"filter": _json(said)}, adapter=adapter
            )
        except (SourceStatusError, CatalogueUnavailableError) as error:
            less = without_documents(said)
            if less == said or not _no_relation(error):
                raise
            self._documents = False
            return await self._client.json(
                "GET", path, params={"filter": _json(less)}, adapter=adapter
            )

    def _state(self, bad: int, total: int, exact: bool) -> tuple[SourceState, ...]:
        if not bad:
            return ()
        records = "1 record is" if bad == 1 else f"{bad} records are"
        return (
            SourceState(
                source=self.name,
                state="answered",
                message=f"{records} left out: not as the PaNOSC search API has them",
                total=total,
                total_exact=exact,
            ),
        )


def _tally(counts: dict[str, Counter[str]], datasets: Iterable[Dataset]) -> None:
    for dataset in datasets:
        counts["type"][dataset.type] += 1
        counts["technique"].update(set(dataset.techniques))
        for name in ("instrument", "facility", "sample"):
            if value := getattr(dataset, name):
                counts[name][value] += 1


def _no_relation(error: CatalogueError) -> bool:
    words = error.message.casefold()
    return "document" in words and "relation" in words


def _json(said: dict[str, Any]) -> str:
    return json.dumps(said, separators=(",", ":"))
