"""What people type, as a query; and what a search has told, all at once."""

from __future__ import annotations

from collections.abc import Iterable

from nearfield.querying import (
    DatasetsEvent,
    EndEvent,
    Query,
    SearchEvent,
    SourceEvent,
    SourceState,
)
from nearfield_server.models import SearchAnswer, SearchAsked


def query_of(text: str, asked: SearchAsked | None = None) -> Query:
    """The query that a text stands for. Raises QuerySyntaxError, UsageError."""
    from nearfield.querying.language import parse

    said = {} if asked is None else asked.model_dump(exclude={"q"}, exclude_none=True)
    return parse(text).model_copy(update=said)


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
            near=end.near,
        )


def used(query: Query) -> Iterable[str]:
    """The names of the conditions of a query, without what was looked for."""
    return sorted(query.model_dump(exclude_defaults=True).keys() - {"limit", "cursor", "order"})
