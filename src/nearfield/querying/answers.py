"""What a search gives back: pages, counts, and how each source is doing."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nearfield.datasets import Availability, Dataset, Pid
from nearfield.querying.reasons import Reason


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceState(_Model):
    """How one catalogue is doing in one search."""

    source: str
    state: Literal["asking", "answered", "timeout", "failed", "unsupported"]
    """``unsupported``: it cannot apply one of the conditions, and so was not asked."""
    message: str | None = None
    """For people: ``no answer in 3 s``."""
    hint: str | None = None
    reason: Reason | None = None
    """Of a source that did not answer, as a word: ``token-expired``, ``unavailable``, …"""
    total: int | None = None
    total_exact: bool = True
    seconds: float | None = None


class Proposal(_Model):
    """A value that there is, and the search with it instead."""

    value: str
    query: str
    """In the query language."""


class NearValues(_Model):
    """What a search that found nothing may have meant by one of its values."""

    field: str
    value: str
    """As it was asked for."""
    near: tuple[Proposal, ...]

    @property
    def words(self) -> str:
        """For people: ``no instrument ID1O here; near: ID10, ID11``."""
        return f"no {self.field} {self.value} here; near: " + ", ".join(
            one.value for one in self.near
        )


class Page(_Model):
    """One page of a search; ``total`` counts all that match."""

    datasets: tuple[Dataset, ...]
    total: int = Field(ge=0)
    total_exact: bool = True
    """False: there are at least so many ("10,000+")."""
    offset: int = Field(default=0, ge=0)
    next: str | None = None
    """``Query.cursor`` of the next page; ``None`` on the last one, or where offset must do."""
    sources: tuple[SourceState, ...] = ()
    """Of a search in several catalogues: each one's state."""
    near: tuple[NearValues, ...] = ()
    """Where nothing was found: values like those that were asked for."""


class Facets(_Model):
    """Counts by value: ``type``, ``technique``, ``instrument``, ``facility``, ``format``, …"""

    counts: dict[str, dict[str, int]] = Field(default_factory=dict)
    exact: bool = True
    """False: counted over a part of the matches; each number is a lower bound."""
    sources: tuple[SourceState, ...] = ()

    def __getitem__(self, name: str) -> dict[str, int]:
        return self.counts[name]


class DatasetSummary(_Model):
    """A dataset as a list shows it; small, whatever the record holds."""

    pid: Pid
    type: Literal["raw", "derived"]
    title: str | None
    """Without one the name of the first file."""
    techniques: tuple[str, ...]
    instrument: str | None
    created: datetime | None
    """When it was measured, or made."""
    size: int
    files: int
    storage: str | None
    facility: str | None = None
    source: str | None = None
    also_in: tuple[str, ...] = ()
    doi: str | None = None
    public: bool = False
    availability: Availability | None = None
    thumbnail: bool = False


class SummaryPage(_Model):
    """One page of a list; ``total`` counts all that match."""

    datasets: tuple[DatasetSummary, ...]
    total: int = Field(ge=0)
    total_exact: bool = True
    offset: int = Field(default=0, ge=0)
    next: str | None = None
    sources: tuple[SourceState, ...] = ()


def summary_of(dataset: Dataset, now: datetime) -> DatasetSummary:
    """What a list shows of ``dataset``; ``now`` (with a zone) decides whether an embargo holds."""
    root = dataset.root_file
    return DatasetSummary(
        pid=dataset.pid,
        type=dataset.type,
        title=dataset.title or (root.path.rpartition("/")[2] if root else None),
        techniques=dataset.techniques,
        instrument=dataset.instrument,
        created=dataset.start_time or dataset.created,
        size=dataset.size,
        files=len(dataset.files),
        storage=dataset.storage,
        facility=dataset.facility,
        source=dataset.source,
        also_in=dataset.also_in,
        doi=dataset.doi,
        public=dataset.access.open_at(now),
        availability=dataset.availability,
        thumbnail=dataset.thumbnail,
    )
