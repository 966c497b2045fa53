"""How one asks for datasets, and what one is told: the same for every catalogue and every face."""

from nearfield.querying.answers import (
    DatasetSummary,
    Facets,
    NearValues,
    Page,
    Proposal,
    SourceState,
    SummaryPage,
    summary_of,
)
from nearfield.querying.events import AlsoEvent, DatasetsEvent, EndEvent, SearchEvent, SourceEvent
from nearfield.querying.model import Condition, Query

__all__ = [
    "AlsoEvent",
    "Condition",
    "DatasetSummary",
    "DatasetsEvent",
    "EndEvent",
    "Facets",
    "NearValues",
    "Page",
    "Proposal",
    "Query",
    "SearchEvent",
    "SourceEvent",
    "SourceState",
    "SummaryPage",
    "summary_of",
]
