"""What every catalogue driver does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from nearfield.datasets import DataFile, Dataset, DerivedDataset, Page, Query


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do; what is missing is told, not failed."""

    derive: bool = False
    text_search: bool = True
    client_pids: bool = False
    """True where the client names the PID of a derived dataset."""


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
        """Datasets that match, newest first; only those that the user may see."""
        ...

    async def facets(self, query: Query) -> dict[str, dict[str, int]]:
        """Counts by value over all matches: ``type``, ``technique``, ``instrument``, ``format``."""
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

    async def aclose(self) -> None:
        """Release connections."""
        ...
