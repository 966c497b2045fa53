"""What a dataset was made from, and what was made from it: one step each way."""

from __future__ import annotations

from dataclasses import dataclass, field

from nearfield.catalogue._protocol import Catalogue
from nearfield.datasets import Dataset
from nearfield.errors import (
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    UnsupportedQueryError,
)
from nearfield.querying import Query, SourceState

MAX_RELATED = 100


@dataclass(frozen=True)
class Related:
    """The neighbours of a dataset that its user may see."""

    inputs: tuple[Dataset, ...] = ()
    derived: tuple[Dataset, ...] = ()
    missing: tuple[str, ...] = ()
    """Inputs that no catalogue has, or may show: the two are not told apart. Itself, too, where a
    record names itself."""
    unknown: tuple[str, ...] = ()
    """Inputs that a catalogue may have that did not answer."""
    derived_total: int = 0
    sources: tuple[SourceState, ...] = field(default=())


async def related(catalogue: Catalogue, dataset: Dataset) -> Related:
    """At most 100 each way, in the order of the record and newest first.

    Raises:
        CatalogueError: the catalogue cannot look for results.
    """
    inputs: list[Dataset] = []
    missing: list[str] = []
    unknown: list[str] = []
    for pid in dict.fromkeys(dataset.input_datasets[:MAX_RELATED]):
        if pid == dataset.pid:
            missing.append(pid)
            continue
        try:
            inputs.append(await catalogue.get(pid))
        except (DatasetNotFoundError, DatasetNotPermittedError):
            missing.append(pid)
        except CatalogueUnavailableError:
            unknown.append(pid)
    query = Query(input_dataset=dataset.pid, limit=MAX_RELATED)
    try:
        page = await catalogue.search(query)
    except UnsupportedQueryError:
        return Related(tuple(inputs), (), tuple(missing), tuple(unknown))
    derived = tuple(one for one in page.datasets if one.pid != dataset.pid)
    return Related(tuple(inputs), derived, tuple(missing), tuple(unknown), page.total, page.sources)
