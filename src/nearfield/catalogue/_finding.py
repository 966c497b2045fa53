"""A search as people mean it, in any catalogue: a PID finds its dataset; events as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from nearfield.catalogue._asking import FederatedSource, ask
from nearfield.catalogue._merging import labelled
from nearfield.catalogue._nearby import nearby
from nearfield.catalogue._protocol import Catalogue
from nearfield.errors import (
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    UnknownNameError,
    UsageError,
)
from nearfield.querying import (
    DatasetsEvent,
    EndEvent,
    Page,
    Query,
    SearchEvent,
    SourceEvent,
    SourceState,
    summary_of,
)
from nearfield.querying.complete import Completions, complete, field_at
from nearfield.querying.matching import holds
from nearfield.querying.pids import is_explicit, pid_asked_for
from nearfield.techniques import known_names

# A single catalogue has no time of its own in the configuration.
_PATIENCE = 60.0
_HURRY = 0.5
"""Seconds that proposals wait for a source."""


@runtime_checkable
class _Streams(Protocol):
    def stream(self, query: Query) -> AsyncGenerator[SearchEvent, None]: ...


@runtime_checkable
class _HasSources(Protocol):
    sources: Sequence[FederatedSource]

    def only(self, name: str) -> Catalogue: ...

    def within(self, seconds: float) -> Catalogue: ...


async def find(catalogue: Catalogue, query: Query) -> Page:
    """As :func:`found_in`; where nothing is found the page names values near to those asked for.

    Raises as ``Catalogue.search``.
    """
    page = await found_in(catalogue, query)
    if page.total or page.datasets:
        return page
    return page.model_copy(update={"near": await nearby(_hurried(catalogue), query)})


async def found_in(catalogue: Catalogue, query: Query) -> Page:
    """The catalogue's own search; a query that is one PID finds the dataset of that name.

    Raises as ``Catalogue.search``; UnknownNameError where other sources alone are asked for.
    """
    if isinstance(catalogue, _Streams):
        return await catalogue.search(query)  # it asks each of its sources in this way itself
    for name in query.source:
        only(catalogue, name)
    pid = pid_asked_for(query)
    if pid is None or query.cursor or query.offset:
        return await catalogue.search(query)
    try:
        dataset = await catalogue.get(pid)
    except (DatasetNotFoundError, DatasetNotPermittedError):
        if is_explicit(query):
            return Page(datasets=(), total=0)
        return await catalogue.search(query)
    if not holds(query.model_copy(update={"text": ""}), dataset):
        return Page(datasets=(), total=0)
    return Page(datasets=(dataset,), total=1)


def only(catalogue: Catalogue, source: str | None) -> Catalogue:
    """The one source of that name, to be asked and not to be closed; ``None``: all of them.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if source is None:
        return catalogue
    if isinstance(catalogue, _HasSources):
        return catalogue.only(source)
    if source.casefold() != catalogue.name.casefold():
        raise UnknownNameError("source", source, [catalogue.name])
    return catalogue


async def stream_search(catalogue: Catalogue, query: Query) -> AsyncGenerator[SearchEvent, None]:
    """The search as events, from several sources or from one; the last one is an EndEvent.

    Closing it (``contextlib.aclosing``) ends all questions.

    Raises:
        UsageError: the query itself is wrong. Anything else is the state of a source.
    """
    if isinstance(catalogue, _Streams):
        async with aclosing(catalogue.stream(query)) as events:
            async for event in events:
                if isinstance(event, EndEvent) and not event.total:
                    near = await nearby(_hurried(catalogue), query)
                    yield event.model_copy(update={"near": near})
                else:
                    yield event
        return
    source = FederatedSource(catalogue.name, catalogue, _PATIENCE)
    yield SourceEvent.of(SourceState(source=source.name, state="asking"))
    answer = await ask(source, lambda it: find(it, query))
    if isinstance(answer.error, UsageError):
        raise answer.error
    page = answer.value
    if page is None:
        yield SourceEvent.of(answer.state())
        yield EndEvent(total=0, total_exact=False)
        return
    now = datetime.now(UTC)
    if page.datasets:
        found = (summary_of(labelled(dataset, source.name), now) for dataset in page.datasets)
        yield DatasetsEvent(source=source.name, datasets=tuple(found))
    note = page.sources[0].message if page.sources else None
    yield SourceEvent.of(answer.state(page.total, page.total_exact, note))
    yield EndEvent(total=page.total, total_exact=page.total_exact, next=page.next, near=page.near)


async def complete_in(catalogue: Catalogue, text: str, at: int) -> Completions:
    """What may come next in a search; values are those that the catalogue counts.

    A catalogue that does not answer only means that no values are offered.
    """
    field = field_at(text, at)
    if field in (None, "type", "availability", "order", "since", "until", "pid"):
        return complete(text, at)
    if field == "source":
        return complete(text, at, values={"source": dict.fromkeys(_names(catalogue))})
    techniques = known_names() if field == "technique" else ()
    try:
        counts = (await _hurried(catalogue).facets(Query())).counts
    except (CatalogueUnavailableError, UsageError):
        counts = {}
    return complete(text, at, values=counts, techniques=techniques)


def _hurried(catalogue: Catalogue) -> Catalogue:
    """Somebody waits for proposals: a source that is slow today has its values left out."""
    return catalogue.within(_HURRY) if isinstance(catalogue, _HasSources) else catalogue


def _names(catalogue: Catalogue) -> list[str]:
    if isinstance(catalogue, _HasSources):
        return [source.name for source in catalogue.sources]
    return [catalogue.name]
