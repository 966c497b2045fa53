"""A search while it runs: datasets and the sources' states, each told as soon as it is known."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from nearfield.datasets import Pid
from nearfield.querying.answers import DatasetSummary, NearValues, SourceState


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceEvent(SourceState):
    """How one source is doing; told when it is asked, and once more when it has ended."""

    event: Literal["source"] = "source"

    @classmethod
    def of(cls, state: SourceState) -> SourceEvent:
        """The event that tells ``state``."""
        return cls.model_validate(state.model_dump())

    @property
    def told(self) -> SourceState:
        """The state alone."""
        return SourceState.model_validate(self.model_dump(exclude={"event"}))


class DatasetsEvent(_Model):
    """Datasets that one source found, in the order that it gave. None is told twice."""

    event: Literal["datasets"] = "datasets"
    source: str
    datasets: tuple[DatasetSummary, ...]


class AlsoEvent(_Model):
    """A dataset that was told before is in a further source, too. May be passed over."""

    event: Literal["also"] = "also"
    pid: Pid
    """As it was told."""
    source: str


class EndEvent(_Model):
    """The last one: every source has answered, failed or run out of time."""

    event: Literal["end"] = "end"
    total: int = Field(ge=0)
    total_exact: bool = True
    """False: there are at least so many."""
    next: str | None = None
    """``Query.cursor`` of the next page; ``None`` on the last one."""
    near: tuple[NearValues, ...] = ()
    """Where nothing was found: values like those that were asked for."""


SearchEvent = Annotated[
    SourceEvent | DatasetsEvent | AlsoEvent | EndEvent, Field(discriminator="event")
]

EVENT: TypeAdapter[SearchEvent] = TypeAdapter(SearchEvent)
"""Reads one line of a streamed search."""
