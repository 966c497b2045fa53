"""The embedded catalogue: one SQLite file, seen with the rights of one user."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from nearfield.catalogue._derive import (
    check_may_write,
    check_same_request,
    derived_dataset,
    request_digest,
)
from nearfield.catalogue._protocol import Capabilities, Thumbnail, check_supported
from nearfield.catalogue._records import with_doi
from nearfield.catalogue._search import facets, page
from nearfield.catalogue._store import CatalogueStore, fetch, put
from nearfield.datasets import (
    Access,
    DataFile,
    Dataset,
    DatasetFiles,
    DerivedDataset,
    Principal,
    derived_pid,
    links_of,
)
from nearfield.errors import DatasetNotFoundError
from nearfield.querying import DatasetSummary, Facets, Page, Query, SummaryPage

# The page's records, in the order of their numbers in the list.
_RECORDS = """
SELECT r.document FROM json_each(:numbers) place JOIN record r ON r.id = place.value
ORDER BY place.key
"""
# SQLite picks the few fields out: the files and arrays of a record are never parsed in Python.
_SUMMARIES = """
SELECT d.pid, d.type, json_extract(document, '$.title', '$.techniques', '$.instrument',
    '$.start_time', '$.created', '$.size', '$.storage', '$.files[0].path', '$.facility', '$.doi',
    '$.availability', '$.thumbnail', '$.access'),
    json_array_length(document, '$.files')
FROM json_each(:numbers) place JOIN dataset d ON d.id = place.value JOIN record r ON r.id = d.id
ORDER BY place.key
"""


class SqliteCatalogue:
    """A view of a :class:`CatalogueStore` with the rights of ``principal``; cheap to make."""

    def __init__(self, store: CatalogueStore, principal: Principal, *, owns: bool = False) -> None:
        self._store, self.principal, self._owns = store, principal, owns
        self.name = store.name

    @classmethod
    def open(
        cls, path: Path, name: str, principal: Principal, *, create: bool = False
    ) -> SqliteCatalogue:
        """Open a file for one user; ``aclose`` closes it.

        Raises:
            CatalogueError: the file cannot be used as a catalogue.
        """
        return cls(CatalogueStore(path, name, create=create), principal, owns=True)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(derive=True, text_search=True, client_pids=True)

    async def search(self, query: Query) -> Page:
        return await asyncio.to_thread(self._search, query)

    async def summaries(self, query: Query, pids: Sequence[str] = ()) -> SummaryPage:
        """As :meth:`search`, of each dataset what a list shows; with ``pids`` only of those."""
        return await asyncio.to_thread(self._summaries, query, pids)

    async def facets(self, query: Query) -> Facets:
        return await asyncio.to_thread(self._facets, query)

    async def get(self, pid: str) -> Dataset:
        return await asyncio.to_thread(self._get, pid)

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        return (await self.get(pid)).files

    async def links(self, pid: str) -> DatasetFiles:
        """What of a dataset is linked into a session."""
        return await asyncio.to_thread(lambda: links_of(self._get(pid)))

    async def derive(self, dataset: DerivedDataset) -> str:
        return await asyncio.to_thread(self._derive, dataset)

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        await self.get(pid)
        return None

    async def aclose(self) -> None:
        if self._owns:
            await asyncio.to_thread(self._store.close)

    def _search(self, query: Query) -> Page:
        check_supported(self.name, self.capabilities, query)
        with self._store.reading() as connection:
            found = page(connection, query, self.principal, _now())
            rows = connection.execute(_RECORDS, {"numbers": json.dumps(found.numbers)}).fetchall()
        return Page(
            datasets=tuple(self._given(document) for (document,) in rows),
            total=found.total,
            total_exact=found.exact,
            offset=query.offset,
            next=found.next,
        )

    def _summaries(self, query: Query, pids: Sequence[str]) -> SummaryPage:
        check_supported(self.name, self.capabilities, query)
        with self._store.reading() as connection:
            found = page(connection, query, self.principal, _now(), pids)
            rows = connection.execute(_SUMMARIES, {"numbers": json.dumps(found.numbers)}).fetchall()
        return SummaryPage(
            datasets=tuple(_summary(self.name, *row) for row in rows),
            total=found.total,
            total_exact=found.exact,
            offset=query.offset,
            next=found.next,
        )

    def _facets(self, query: Query) -> Facets:
        check_supported(self.name, self.capabilities, query)
        with self._store.reading() as connection:
            return facets(connection, query, self.principal, _now())

    def _given(self, document: str) -> Dataset:
        return Dataset.model_validate_json(document).model_copy(update={"source": self.name})

    def _get(self, pid: str) -> Dataset:
        with self._store.reading() as connection:
            return self._visible(connection, pid)

    def _visible(self, connection: sqlite3.Connection, pid: str) -> Dataset:
        known = fetch(connection, pid)
        for dataset in (known, *with_doi(connection, pid)):
            if dataset is not None and dataset.access.visible_to(self.principal):
                return dataset.model_copy(update={"source": self.name})
        # The same answer for "not there" and "not for you": a PID tells nothing.
        raise not_found(pid)

    def _derive(self, wanted: DerivedDataset) -> str:
        check_may_write(self.name, self.principal)
        pid, digest = derived_pid(self.name, wanted.run_id), request_digest(wanted)
        with self._store.writing() as connection:
            known = connection.execute(
                "SELECT pid, owner, request FROM dataset WHERE run_id = ?", (wanted.run_id,)
            ).fetchone()
            if known is not None:
                check_same_request(
                    wanted.run_id, digest, known[2], owner=known[1], user=self.principal.name
                )
                return str(known[0])
            inputs = [self._visible(connection, name) for name in wanted.inputs_here]
            dataset = derived_dataset(pid, wanted, inputs, self.principal, datetime.now(UTC))
            put(connection, dataset, request=digest)
        return pid


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _summary(source: str, pid: str, kind: str, fields: str, files: int | None) -> DatasetSummary:
    (title, techniques, instrument, start, created, size, storage, path) = json.loads(fields)[:8]
    (facility, doi, availability, thumbnail, access) = json.loads(fields)[8:]
    return DatasetSummary.model_validate(
        {
            "pid": pid,
            "type": kind,
            "title": title or (path or "").rpartition("/")[2] or None,
            "techniques": techniques or (),
            "instrument": instrument,
            "created": start or created,
            "size": size or 0,
            "files": files or 0,
            "storage": storage,
            "facility": facility,
            "source": source,
            "doi": doi,
            "public": Access.model_validate(access or {}).open_at(datetime.now(UTC)),
            "availability": availability,
            "thumbnail": bool(thumbnail),
        }
    )


def not_found(pid: str, source: str | None = None) -> DatasetNotFoundError:
    """What a driver answers for a PID that is not there for the asking user."""
    return DatasetNotFoundError(
        f"{source}: no dataset {pid[:200]!r} that you may see"
        if source
        else f"no dataset {pid!r} that you may see",
        hint="search with: nearfield catalogue search TEXT",
    )
