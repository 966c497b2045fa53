"""Several catalogues as one: all are asked at once, each in its own time and with its own token.

What one source does, or does not do, is its state in the answer; the others' answers count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from nearfield.catalogue._asking import Answer, FederatedSource, ask, raise_if_none
from nearfield.catalogue._deriving import derive_in
from nearfield.catalogue._federated_pages import PagedSearch
from nearfield.catalogue._merging import labelled, merged_counts
from nearfield.catalogue._protocol import Capabilities, Catalogue, Thumbnail
from nearfield.config import Config
from nearfield.datasets import DataFile, Dataset, DerivedDataset
from nearfield.errors import (
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
    UnknownNameError,
    UsageError,
)
from nearfield.mapping import placed, placed_file
from nearfield.querying import Facets, Page, Query, SearchEvent
from nearfield.querying.pids import is_unique, without_resolver

T = TypeVar("T")
_PATIENCE = 30.0
"""Seconds for one dataset of a source that is named."""


class FederatedCatalogue:
    """All ``sources`` as one catalogue; the first is the home, where results go.

    Where two sources hold the same dataset the one named first is preferred. It owns the sources:
    :meth:`aclose` closes them. ``site`` names the storages on which datasets are found.
    """

    def __init__(
        self,
        sources: Sequence[FederatedSource],
        *,
        name: str = "all",
        site: Config | None = None,
    ) -> None:
        if not sources:
            raise UsageError("a federation of no catalogues")
        self.name, self.sources = name, tuple(sources)
        self.site = site or Config()

    def __repr__(self) -> str:
        return f"FederatedCatalogue({', '.join(source.name for source in self.sources)})"

    @property
    def capabilities(self) -> Capabilities:
        """What at least one source can; the others are then told as ``unsupported``."""
        able = [s.catalogue.capabilities for s in self.sources if s.catalogue is not None]
        return Capabilities(
            derive=any(one.derive for one in able),
            text_search=any(one.text_search for one in able),
            client_pids=False,
            filters=frozenset[str]().union({"source"}, *(one.filters for one in able)),
            run_ids="user",  # two users' results may go to two sources
        )

    @property
    def home_problem(self) -> NearfieldError | None:
        """Why results cannot go home: it could not be opened; ``None`` where it was."""
        return self.sources[0].problem if self.sources[0].catalogue is None else None

    async def search(self, query: Query) -> Page:
        """One page over all sources, merged by time or relevance; none twice.

        Raises:
            UsageError: the query is wrong, or its cursor, or no source can apply it.
            CatalogueUnavailableError: no source answered.
        """
        return await self._paged(query).page()

    async def stream(self, query: Query) -> AsyncGenerator[SearchEvent, None]:
        """As :meth:`search`, told as it comes: each source gives up to ``limit`` datasets.

        Closing the iterator ends all questions. A failing source is told and raises nothing.

        Raises:
            UsageError: the query is wrong, or its cursor, or no source can apply it.
        """
        async with aclosing(self._paged(query).events()) as events:
            async for event in events:
                yield event

    async def facets(self, query: Query) -> Facets:
        """The sources' counts added up; a dataset that two sources have counts twice."""
        sources = self._chosen(query)
        mine = query.model_copy(update={"source": (), "cursor": None, "offset": 0})
        answers = await self._all(sources, lambda catalogue: catalogue.facets(mine))
        raise_if_none(answers)
        said = [answer.value for answer in answers if answer.value is not None]
        return Facets(
            counts=merged_counts(one.counts for one in said),
            exact=len(said) == len(answers) and all(one.exact for one in said),
            sources=tuple(answer.state() for answer in answers),
        )

    async def get(self, pid: str, *, source: str | None = None) -> Dataset:
        """One dataset, of ``source`` or of the first that has it.

        Raises:
            DatasetNotFoundError, DatasetNotPermittedError: no source has it, or may show it.
            CatalogueUnavailableError: it is in none that answered, and one did not.
            UnknownNameError: there is no such source.
        """
        found, dataset = await self._of_one(pid, source, lambda it, name: it.get(name))
        return placed(self.site, labelled(dataset, found))

    async def files(self, pid: str, *, source: str | None = None) -> tuple[DataFile, ...]:
        """Its files. Raises as :meth:`get`."""
        found = (await self._of_one(pid, source, lambda it, name: it.files(name)))[1]
        return tuple(placed_file(self.site, file) for file in found)

    async def thumbnail(self, pid: str, *, source: str | None = None) -> Thumbnail | None:
        """Its picture. Raises as :meth:`get`."""
        return (await self._of_one(pid, source, lambda it, name: it.thumbnail(name)))[1]

    async def derive(self, dataset: DerivedDataset) -> str:
        """Into the source that holds all inputs and takes results, else into the home.

        Raises:
            DatasetNotFoundError, DatasetNotPermittedError: an input is nowhere, or not for you.
            CatalogueUnavailableError: a source that may hold an input does not answer.
        """
        return await derive_in(self.sources, dataset)

    async def aclose(self) -> None:
        """Close all sources, whatever one of them says to it."""
        found = [s.catalogue.aclose() for s in self.sources if s.catalogue is not None]
        await asyncio.gather(*found, return_exceptions=True)

    def only(self, name: str) -> FederatedCatalogue:
        """The one source of this name, waited for longer than among others; not to be closed.

        Raises:
            UnknownNameError: there is no such source.
        """
        source = self.source_named(name)
        patient = replace(source, timeout=max(source.timeout, _PATIENCE))
        return FederatedCatalogue([patient], name=source.name, site=self.site)

    def within(self, seconds: float) -> FederatedCatalogue:
        """The same sources, none waited for longer than this; not to be closed."""
        hurried = [replace(one, timeout=min(one.timeout, seconds)) for one in self.sources]
        return FederatedCatalogue(hurried, name=self.name, site=self.site)

    def source_named(self, name: str) -> FederatedSource:
        """Raises UnknownNameError."""
        for source in self.sources:
            if source.name.casefold() == name.casefold():
                return source
        raise UnknownNameError("source", name, (source.name for source in self.sources))

    def _chosen(self, query: Query) -> tuple[FederatedSource, ...]:
        if not query.source:
            return self.sources
        names = {self.source_named(name).name for name in query.source}
        return tuple(source for source in self.sources if source.name in names)

    def _paged(self, query: Query) -> PagedSearch:
        return PagedSearch(self._chosen(query), query, datetime.now(UTC), self.site)

    async def _all(
        self,
        sources: Sequence[FederatedSource],
        question: Callable[[Catalogue], Awaitable[T]],
    ) -> list[Answer[T]]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(source, question)) for source in sources]
        return [task.result() for task in tasks]

    async def _of_one(
        self,
        pid: str,
        source: str | None,
        question: Callable[[Catalogue, str], Awaitable[T]],
    ) -> tuple[str, T]:
        """The answer of the source that has it, and the source's name."""
        # A source that somebody names is waited for; asked among others it has its time.
        asked = self.sources if source is None else self.only(source).sources
        plain = without_resolver(pid)

        async def by_any_name(catalogue: Catalogue) -> T:
            try:
                return await question(catalogue, pid)
            except DatasetNotFoundError:
                if plain == pid:
                    raise
            return await question(catalogue, plain)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(one, by_any_name)) for one in asked]
            try:
                return await _first_found(tasks, in_order=not is_unique(pid))
            except LookupError:
                pass
            finally:
                for task in tasks:
                    task.cancel()
        raise _nowhere(pid, [task.result() for task in tasks])


async def _first_found(
    tasks: Sequence[asyncio.Task[Answer[T]]], *, in_order: bool
) -> tuple[str, T]:
    """The first answer; a name that two sources may use means the one that is named first."""
    for coming in tasks if in_order else asyncio.as_completed(tasks):
        answer = await coming
        if answer.kind is None:
            return answer.source.name, answer.value  # type: ignore[return-value]
    raise LookupError


def _nowhere(pid: str, answers: Sequence[Answer[T]]) -> Exception:
    """Why no source gave it: hidden, not there, or not to be known while one is silent."""
    silent = [
        answer
        for answer in answers
        if not isinstance(answer.error, DatasetNotFoundError | DatasetNotPermittedError)
    ]
    for answer in answers:
        if isinstance(answer.error, DatasetNotPermittedError):
            return answer.error
    if len(answers) == 1:
        return answers[0].failure()
    if not silent:
        names = ", ".join(answer.source.name for answer in answers)
        return DatasetNotFoundError(
            f"no dataset {pid!r} that you may see in {names}",
            hint="search with: nearfield catalogue search TEXT",
        )
    why = "; ".join(f"{one.source.name}: {one.state().message}" for one in silent)
    return CatalogueUnavailableError(
        f"no dataset {pid!r} in the catalogues that answered; {why}",
        hint="try again later, or name the source that has it: it is waited for",
    )
