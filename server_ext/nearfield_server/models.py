"""The answers of the REST API, as the OpenAPI file describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nearfield.datasets import DataFile, Dataset, Pid
from nearfield.querying import DatasetSummary, NearValues, SourceState
from nearfield.querying.reasons import Reason
from nearfield.session_data import SessionDataset

SourceName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Refusal(_Model):
    """An answer that is no success."""

    message: str
    hint: str | None = None
    reason: Reason | None = None
    position: int | None = None
    """``syntax``: the character of ``q`` that is wrong, from 0."""


# what is asked


class SearchAsked(_Model):
    """``GET datasets``."""

    q: Annotated[str, StringConstraints(max_length=4000)] = ""
    limit: int = Field(default=50, ge=1, le=1000)
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=8000)] | None = None
    order: Literal["newest", "relevance"] | None = None


class FacetsAsked(_Model):
    """``GET datasets/facets``."""

    q: Annotated[str, StringConstraints(max_length=4000)] = ""


class CompletionsAsked(_Model):
    """``GET datasets/completions``."""

    q: Annotated[str, StringConstraints(max_length=4000)] = ""
    at: int | None = Field(default=None, ge=0, le=4000)
    """Where the cursor is; without it at the end."""


class OneAsked(_Model):
    """One dataset, of the source that is named."""

    source: SourceName | None = None


class FilesAsked(OneAsked):
    """``GET datasets/PID/files``."""

    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=200, ge=1, le=1000)


class TreeAsked(OneAsked):
    """``GET datasets/PID/tree``."""

    file: str | None = Field(default=None, max_length=4096)
    """One of the record's files; without it the first."""
    path: str = Field(default="/", max_length=4096)
    depth: int = Field(default=1, ge=0, le=4)


class SliceAsked(OneAsked):
    """``GET datasets/PID/slice``."""

    file: str | None = Field(default=None, max_length=4096)
    path: str = Field(max_length=4096)
    slice: str = Field(default="", max_length=400)
    """As in NumPy, without brackets: ``0,:,10:20``. Left out: all of it."""


# what is answered


class SearchAnswer(_Model):
    """A search that has ended."""

    datasets: tuple[DatasetSummary, ...]
    total: int
    total_exact: bool
    next: str | None
    sources: tuple[SourceState, ...]
    near: tuple[NearValues, ...] = ()
    """Where nothing was found: values like those that were asked for."""


class DatasetAnswer(Dataset):
    """One record, and the code that opens it in a notebook."""

    snippet: str


class FilesAnswer(_Model):
    """Some of the files."""

    files: tuple[DataFile, ...]
    total: int


class RelatedAnswer(_Model):
    """What a dataset was made from, and what was made from it."""

    inputs: tuple[DatasetSummary, ...]
    derived: tuple[DatasetSummary, ...]
    missing: tuple[Pid, ...]
    """Inputs that do not exist, or that this user may not see."""
    unknown: tuple[Pid, ...] = ()
    """Inputs of which nobody can tell: a catalogue does not answer."""


class Node(_Model):
    """A group or an array of a file."""

    name: str
    kind: Literal["group", "dataset", "link", "type"]
    """``link``: one that leads nowhere, or where it may not lead; ``problem`` says why."""
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    children: tuple[Node, ...] | None = None
    """``None``: not looked at (the depth was reached), or an array."""
    more: int = 0
    """So many children, or attributes, are left out."""
    target: str | None = None
    """Where a link leads."""
    problem: str | None = None


class TreeAnswer(_Model):
    """The inside of one file."""

    file: str
    path: str
    node: Node


class SliceAnswer(_Model):
    """Values of one array; what is no number in JSON (NaN, infinite) is null."""

    file: str
    path: str
    shape: tuple[int, ...]
    """Of the whole array."""
    dtype: str
    slice: str
    """What was read, complete."""
    data: Any


class TemplateShown(BaseModel):
    """A template's card, and the folder where it is."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    folder: str


class TemplatesAnswer(_Model):
    """The templates that can be run here."""

    templates: tuple[TemplateShown, ...]
    broken: tuple[str, ...]
    """What is wrong with those that cannot."""


class SessionAnswer(_Model):
    """What this session is and has; null where it does not apply."""

    profile: str | None
    environment: str | None
    job: str | None
    node: str
    """The host that the server runs on."""
    ends: float | None
    """Unix time of the time limit."""
    remaining_seconds: float | None
    warning: str | None
    """That the limit is near, once it is."""
    data: str | None
    image: str | None
    image_digest: str | None
    image_verdict: str | None
    image_signer: str | None
    image_warnings: tuple[str, ...]
    layer: str | None


class SessionDatasetsAnswer(_Model):
    """The datasets of this session."""

    datasets: tuple[SessionDataset, ...]


class Published(_Model):
    """A run that is a derived dataset now."""

    pid: str
    run_id: str | None
