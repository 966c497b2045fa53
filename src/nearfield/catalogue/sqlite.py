"""The embedded catalogue: one SQLite file, seen with the rights of one user."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nearfield.catalogue._derive import check_same_request, derived_dataset, request_digest
from nearfield.catalogue._protocol import Capabilities, Thumbnail, check_supported
from nearfield.catalogue._store import CatalogueStore, json_list, put
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
from nearfield.querying.times import instant
from nearfield.querying.words import match_expression
from nearfield.techniques import names_of

_VISIBLE = (
    "(d.public = 1 OR d.owner = :user OR EXISTS (SELECT 1 FROM dataset_group g"
    " WHERE g.id = d.id AND g.name IN (SELECT value FROM json_each(:groups))))"
)
# ?where stands for conditions that are fixed texts themselves; every value is a parameter.
_COUNT = "SELECT count(*) FROM dataset d WHERE ?where"
# Order and cut on the narrow table first: only one page of records is read.
_PAGE = """
SELECT document FROM (
    SELECT d.id, d.time, d.pid FROM dataset d WHERE ?where
    ORDER BY d.time DESC, d.pid LIMIT :limit OFFSET :offset
) page JOIN record USING (id) ORDER BY page.time DESC, page.pid
"""
# SQLite picks the few fields out: the files and arrays of a record are never parsed in Python.
_SUMMARIES = """
SELECT page.pid, page.type, json_extract(document, '$.title', '$.techniques', '$.instrument',
    '$.start_time', '$.created', '$.size', '$.storage', '$.files[0].path', '$.facility', '$.source',
    '$.doi', '$.availability', '$.thumbnail', '$.access'),
    json_array_length(document, '$.files')
FROM (
    SELECT d.id, d.time, d.pid, d.type FROM dataset d WHERE ?where
    ORDER BY d.time DESC, d.pid LIMIT :limit OFFSET :offset
) page JOIN record USING (id) ORDER BY page.time DESC, page.pid
"""
_PROPERTIES = """
SELECT d.type, d.instrument, d.format, count(*) FROM dataset d WHERE ?where GROUP BY 1, 2, 3
"""
_TECHNIQUES = """
SELECT t.name, count(*) FROM dataset d JOIN dataset_technique t ON t.id = d.id
WHERE ?where GROUP BY t.name ORDER BY 2 DESC, 1
"""
_ONE = """
SELECT r.document FROM dataset d JOIN record r ON r.id = d.id WHERE d.pid = :pid AND ?where
"""


_FILTERS = frozenset(
    {"text", "type", "technique", "instrument", "input_dataset", "since", "until", "source"}
)


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
        return Capabilities(derive=True, text_search=True, client_pids=True, filters=_FILTERS)

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
        where, values = self._conditions(query)
        with self._store.reading() as connection:
            (total,) = connection.execute(_COUNT.replace("?where", where), values).fetchone()
            rows = connection.execute(
                _PAGE.replace("?where", where),
                {**values, "limit": query.limit, "offset": query.offset},
            ).fetchall()
        datasets = tuple(Dataset.model_validate_json(document) for (document,) in rows)
        return Page(datasets=datasets, total=total, offset=query.offset)

    def _summaries(self, query: Query, pids: Sequence[str]) -> SummaryPage:
        where, values = self._conditions(query)
        if pids:
            where += " AND d.pid IN (SELECT value FROM json_each(:pids))"
            values["pids"] = json.dumps(list(pids))
        with self._store.reading() as connection:
            (total,) = connection.execute(_COUNT.replace("?where", where), values).fetchone()
            rows = connection.execute(
                _SUMMARIES.replace("?where", where),
                {**values, "limit": query.limit, "offset": query.offset},
            ).fetchall()
        return SummaryPage(
            datasets=tuple(_summary(*row) for row in rows), total=total, offset=query.offset
        )

    def _facets(self, query: Query) -> Facets:
        where, values = self._conditions(query)
        found: dict[str, dict[str, int]] = {}
        with self._store.reading() as connection:
            rows = connection.execute(_PROPERTIES.replace("?where", where), values).fetchall()
            for position, name in enumerate(("type", "instrument", "format")):
                counts: Counter[str] = Counter()
                for row in rows:
                    if row[position] is not None:
                        counts[row[position]] += row[3]
                found[name] = dict(sorted(counts.items(), key=lambda c: (-c[1], c[0])))
            techniques = connection.execute(_TECHNIQUES.replace("?where", where), values).fetchall()
        found["technique"] = {str(name): int(number) for name, number in techniques}
        return Facets(counts=found)

    def _get(self, pid: str) -> Dataset:
        with self._store.reading() as connection:
            return self._visible(connection, pid)

    def _visible(self, connection: sqlite3.Connection, pid: str) -> Dataset:
        where, values = self._rights()
        row = connection.execute(_ONE.replace("?where", where), {**values, "pid": pid}).fetchone()
        if row is None:
            # The same answer for "not there" and "not for you": a PID tells nothing.
            raise not_found(pid)
        return Dataset.model_validate_json(row[0])

    def _derive(self, wanted: DerivedDataset) -> str:
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

    def _rights(self) -> tuple[str, dict[str, Any]]:
        if self.principal.admin:
            return "1", {}
        user = self.principal
        return _VISIBLE, {"user": user.name, "groups": json_list(user.groups)}

    def _conditions(self, query: Query) -> tuple[str, dict[str, Any]]:
        check_supported(self.name, self.capabilities, query)
        where, values = self._rights()
        conditions = [where]

        def add(condition: str, **named: Any) -> None:
            conditions.append(condition)
            values.update(named)

        if match := match_expression(query.text):
            add("d.id IN (SELECT rowid FROM words WHERE words MATCH :match)", match=match)
        if query.type is not None:
            add("d.type = :type", type=query.type)
        if query.technique:
            add(
                "d.id IN (SELECT id FROM dataset_technique WHERE name COLLATE NOCASE"
                " IN (SELECT value FROM json_each(:technique)))",
                technique=json_list(frozenset().union(*map(names_of, query.technique))),
            )
        if query.instrument:
            add(
                "d.instrument COLLATE NOCASE IN (SELECT value FROM json_each(:instrument))",
                instrument=json_list(query.instrument),
            )
        if query.input_dataset is not None:
            add(
                "d.id IN (SELECT id FROM dataset_input WHERE pid = :input)",
                input=query.input_dataset,
            )
        if query.since is not None:
            add("d.time >= :since", since=instant(query.since))
        if query.until is not None:
            add("d.time <= :until", until=instant(query.until))
        return " AND ".join(conditions), values


def _summary(pid: str, kind: str, fields: str, files: int | None) -> DatasetSummary:
    (title, techniques, instrument, start, created, size, storage, path) = json.loads(fields)[:8]
    (facility, source, doi, availability, thumbnail, access) = json.loads(fields)[8:]
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


def not_found(pid: str) -> DatasetNotFoundError:
    """What a driver answers for a PID that is not there for the asking user."""
    return DatasetNotFoundError(
        f"no dataset {pid!r} that you may see", hint="search with: nearfield catalogue search TEXT"
    )
