"""What every catalogue driver does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from nearfield.datasets import DataFile, Dataset, DerivedDataset
from nearfield.errors import UnsupportedQueryError
from nearfield.querying import Facets, Page, Query

TEXT_FIELDS = frozenset(
    [
        "title",
        "description",
        "technique",
        "instrument",
        "facility",
        "sample",
        "proposal",
        "format",
        "keyword",
        "file",
    ]
)
ALL_FILTERS = frozenset(Query.model_fields) - {"order", "limit", "offset", "cursor"}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do; what is missing is told, not failed."""

    derive: bool = False
    text_search: bool = True
    client_pids: bool = False
    """True where the client names the PID of a derived dataset."""
    filters: frozenset[str] = ALL_FILTERS
    """Fields of :class:`Query` that can be applied where the search is made. A query with another
    one is refused with :class:`UnsupportedQueryError`, never answered without the condition."""
    words: Literal["beginning", "inside"] = "beginning"
    """Where a word of a text must be found: as the beginning of a word, or anywhere."""
    text_fields: frozenset[str] = TEXT_FIELDS
    """Of which parts of a record words are looked for."""
    accents: bool = True
    """Does ``muller`` find ``Müller``?"""
    run_ids: Literal["all", "user"] = "all"
    """Is a run id that somebody else has used refused, or does each user have their own?"""
    results_of: Literal["groups", "owner", "one"] = "groups"
    """Who sees a result of inputs with different rights: the groups that they have in common, its
    owner alone, or nobody as it is refused."""

    @property
    def finds_words(self) -> bool:
        """Are words looked for as Nearfield's own catalogues do it?"""
        own = self.words == "beginning" and self.accents
        return own and self.text_fields == TEXT_FIELDS


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture of a dataset."""

    media_type: Literal["image/png", "image/jpeg", "image/webp"]
    content: bytes


def check_supported(name: str, capabilities: Capabilities, query: Query) -> None:
    """For drivers, before they ask.

    Raises:
        UnsupportedQueryError: names the source and the conditions that it cannot apply.
    """
    said = {field for field in ALL_FILTERS if getattr(query, field)}
    if missing := sorted(said - capabilities.filters):
        raise UnsupportedQueryError(name, missing)


@runtime_checkable
class Catalogue(Protocol):
    """A source of datasets, seen with the rights of one user.

    Every method raises :class:`~nearfield.errors.CatalogueUnavailableError` when the catalogue
    does not answer.
    """

    name: str

    @property
    def capabilities(self) -> Capabilities: ...

    async def search(self, query: Query) -> Page:
        """Datasets that match, in the order asked for; only those that the user may see.

        Raises UnsupportedQueryError where a condition cannot be applied by this source.
        """
        ...

    async def facets(self, query: Query) -> Facets:
        """Counts by value: at least ``type``, ``technique``, ``instrument``, ``format``."""
        ...

    async def get(self, pid: str) -> Dataset:
        """One dataset. Raises DatasetNotFoundError or DatasetNotPermittedError."""
        ...

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        """All files of one dataset. Raises as :meth:`get`."""
        ...

    async def derive(self, dataset: DerivedDataset) -> str:
        """Create a derived dataset and return its PID; the same run id gives the same PID.

        Raises DatasetNotFoundError / DatasetNotPermittedError where an input does not exist
        or may not be read, CatalogueError where the run id is taken by different content.
        """
        ...

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        """A picture of one dataset; ``None`` where the source has none. Raises as :meth:`get`."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
