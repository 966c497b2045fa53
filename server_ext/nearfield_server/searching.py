"""What people type, asked of the configured catalogue, told as it comes."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime

from nearfield.catalogue import Catalogue
from nearfield.errors import CatalogueError, UnsupportedQueryError
from nearfield.querying import Query, SourceState, summary_of
from nearfield.querying.complete import Completions, field_at
from nearfield.querying.complete import complete as proposals
from nearfield.querying.events import DatasetsEvent, EndEvent, SearchEvent, SourceEvent
from nearfield.querying.language import parse
from nearfield_server.models import SearchAnswer, SearchAsked

log = logging.getLogger("nearfield.search")


def query_of(text: str, asked: SearchAsked | None = None) -> Query:
    """The query that a text stands for. Raises QuerySyntaxError, UsageError."""
    said = {} if asked is None else asked.model_dump(exclude={"q"}, exclude_none=True)
    return parse(text).model_copy(update=said)


async def stream(catalogue: Catalogue, query: Query) -> AsyncGenerator[SearchEvent, None]:
    """The events of a search."""
    name = catalogue.name
    yield SourceEvent(source=name, state="asking")
    try:
        page = await catalogue.search(query)
    except CatalogueError as error:
        yield SourceEvent(source=name, state="failed", message=error.message, hint=error.hint)
        yield EndEvent(total=0, total_exact=False)
        return
    except UnsupportedQueryError as error:
        yield SourceEvent(source=name, state="unsupported", message=error.message, hint=error.hint)
        yield EndEvent(total=0, total_exact=False)
        return
    now = datetime.now(UTC)
    yield DatasetsEvent(source=name, datasets=tuple(summary_of(d, now) for d in page.datasets))
    yield SourceEvent(source=name, state="answered", total=page.total, total_exact=page.total_exact)
    yield EndEvent(total=page.total, total_exact=page.total_exact, next=page.next)


class Told:
    """A search as far as it has been told."""

    def __init__(self) -> None:
        self.datasets: list[DatasetsEvent] = []
        self.states: dict[str, SourceState] = {}
        self.end: EndEvent | None = None

    def hear(self, event: SearchEvent) -> None:
        """Take one more event into account."""
        if isinstance(event, SourceEvent):
            self.states[event.source] = event.told
        elif isinstance(event, DatasetsEvent):
            self.datasets.append(event)
        elif isinstance(event, EndEvent):
            self.end = event

    def answer(self) -> SearchAnswer:
        """All of it at once."""
        end = self.end or EndEvent(total=0, total_exact=False)
        return SearchAnswer(
            datasets=tuple(one for event in self.datasets for one in event.datasets),
            total=end.total,
            total_exact=end.total_exact,
            next=end.next,
            sources=tuple(self.states.values()),
        )


def used(query: Query) -> Iterable[str]:
    """The names of the conditions of a query, without what was looked for."""
    return sorted(query.model_dump(exclude_defaults=True).keys() - {"limit", "cursor", "order"})


async def complete(catalogue: Catalogue, text: str, at: int | None) -> Completions:
    """What may stand at the cursor: fields, and values as the catalogue counts them.

    A catalogue that does not answer costs the values alone: one can go on typing.
    """
    at = len(text) if at is None else min(at, len(text))
    counts: dict[str, dict[str, int]] = {}
    if field_at(text, at) is not None:
        try:
            counts = (await catalogue.facets(Query())).counts
        except (CatalogueError, UnsupportedQueryError) as error:
            log.info("no values to propose: %s", error.message)
    return proposals(text, at, values=counts)
