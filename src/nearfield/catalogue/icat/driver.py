"""One ICAT as a catalogue, with the rights of one user."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from pydantic import ValidationError

from nearfield.catalogue._offsets import first_of, next_of
from nearfield.catalogue._protocol import Capabilities, Thumbnail, check_supported
from nearfield.catalogue._tokens import TokenSource
from nearfield.catalogue.icat import _jpql as jpql
from nearfield.catalogue.icat._asking import IcatServer, TooManyError
from nearfield.catalogue.icat._conditions import FILTERS, NOTHING, TEXT_FIELDS, conditions_of
from nearfield.catalogue.icat._entities import INCLUDE, IcatDataset, ParameterType
from nearfield.catalogue.icat._naming import with_whole_names
from nearfield.catalogue.icat._records import DERIVED_TYPES, Pids, dataset_of, read_rows
from nearfield.catalogue.icat._results import register
from nearfield.catalogue.sqlite import not_found
from nearfield.config.sources import IcatSource
from nearfield.datasets import MAX_FILES, DataFile, Dataset, DerivedDataset
from nearfield.errors import BlockedError, CatalogueError
from nearfield.querying import Facets, Page, Query, SourceState
from nearfield.querying.pids import doi_of, without_resolver

FILES_AT_ONCE = 1000
MAX_VALUES = 200
"""Of a facet; the most frequent ones."""


class IcatCatalogue:
    """An icat.server. PIDs are made of the facility and the ids of its datasets.

    Raises:
        CatalogueError: its url cannot be one.
    """

    def __init__(
        self,
        name: str,
        settings: IcatSource,
        *,
        token: TokenSource | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name, self._settings = name, settings
        self._server = IcatServer(name, settings, token, transport)
        self._zone = ZoneInfo(settings.timezone)
        self._pids = Pids(settings.facility)

    @classmethod
    def from_settings(
        cls,
        name: str,
        settings: IcatSource,
        *,
        token: TokenSource | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> IcatCatalogue:
        """As the configuration names it."""
        return cls(name, settings, token=token, transport=transport)

    def __repr__(self) -> str:
        return f"IcatCatalogue({self.name!r}, {self._settings.url!r})"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            derive=self._settings.write,
            filters=FILTERS,
            words="inside",
            text_fields=TEXT_FIELDS,
            accents=False,
            run_ids="user",
            results_of="one",
        )

    async def search(self, query: Query) -> Page:
        """Datasets with a time newest first, then those without one; never files."""
        first = first_of(query)
        where = await self._where(query)
        total, dated = await asyncio.gather(
            self._server.count(f"SELECT COUNT(d) FROM Dataset d{where}"),
            self._server.count(
                f"SELECT COUNT(d) FROM Dataset d{_and(where, 'd.startDate IS NOT NULL')}"
            ),
        )
        # Databases differ in where they put what has no time.
        parts: list[tuple[str, int, int]] = []
        if first < dated:
            parts.append(("d.startDate IS NOT NULL", first, min(query.limit, dated - first)))
        rest = query.limit - sum(number for _, _, number in parts)
        if rest and first + query.limit > dated and total > dated:
            parts.append(("d.startDate IS NULL", max(0, first - dated), rest))
        rows: list[Any] = []
        for condition, start, number in parts:
            rows += await self._part(_and(where, condition), start, number)
        datasets, bad = await self._datasets(rows)
        note = f"left out {bad} records that cannot be read" if bad else None
        return Page(
            datasets=tuple(datasets),
            total=max(total - bad, first + len(datasets)) if bad else total,
            offset=first,
            next=next_of(query, first, len(rows), total),
            sources=(SourceState(source=self.name, state="answered", message=note, total=total),),
        )

    async def facets(self, query: Query) -> Facets:
        """Counts of types, techniques and instruments; ICAT has no cheap one of file formats."""
        where = await self._where(query)
        kinds, techniques, instruments = await asyncio.gather(
            self._counts(
                f"SELECT d.type.name, COUNT(d) FROM Dataset d{where} GROUP BY d.type.name"
            ),
            self._counts(
                "SELECT t.name, COUNT(d) FROM DatasetTechnique x JOIN x.dataset d "
                f"JOIN x.technique t{where} GROUP BY t.name"
            ),
            self._counts(
                "SELECT n.name, COUNT(d) FROM DatasetInstrument x JOIN x.dataset d "
                f"JOIN x.instrument n{where} GROUP BY n.name"
            ),
        )
        results = {self._settings.result_type.lower(), *DERIVED_TYPES}
        types: Counter[str] = Counter()
        for name, number in kinds.items():
            types["derived" if name.lower() in results else "raw"] += number
        return Facets(
            counts={
                "type": dict(types.most_common()),
                "technique": techniques,
                "instrument": instruments,
                "format": {},
            }
        )

    async def get(self, pid: str) -> Dataset:
        """One dataset with its files."""
        number = await self._id(pid)
        rows, files, archived = await asyncio.gather(
            self._server.rows(f"SELECT d FROM Dataset d WHERE d.id = {number} {INCLUDE}"),
            self._files(number),
            self._server.is_archived(number),
        )
        if not rows:
            raise not_found(pid, self.name)
        inputs = await self._inputs([number])
        entities, strange = read_rows(rows, "Dataset")
        found = None
        if entities and not strange:
            found = dataset_of(
                entities[0],
                source=self.name,
                pids=self._pids,
                result_type=self._settings.result_type,
                page=self._settings.page,
                inputs=inputs.get(number, ()),
                files=read_rows(files, "Datafile")[0],
            )
        if found is None or found.pid != self._pids.of(number):
            raise CatalogueError(f"{self.name}: the record of {pid!r} cannot be read")
        return found.model_copy(update={"availability": "tape"}) if archived else found

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        return (await self.get(pid)).files

    async def derive(self, dataset: DerivedDataset) -> str:
        """Register a result as a processed dataset in the investigation of its inputs.

        Raises, besides what the protocol says, CatalogueError where the inputs are of several
        investigations (ICAT's rights go by them), BlockedError where the settings do not say
        ``write`` or the facility has not prepared its ICAT.
        """
        if not self._settings.write:
            raise BlockedError(
                f"{self.name}: takes no results", hint="its settings do not say `write: true`"
            )
        return await register(self._server, self._settings, dataset, self.get)

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        """ICAT has none."""
        number = await self._id(pid)
        if not await self._server.count(f"SELECT COUNT(d) FROM Dataset d WHERE d.id = {number}"):
            raise not_found(pid, self.name)
        return None

    async def aclose(self) -> None:
        await self._server.aclose()

    async def _part(self, where: str, start: int, number: int) -> list[Any]:
        """Rows of a list; in smaller parts where the server does not give so much at once."""
        try:
            return await self._server.rows(
                f"SELECT d FROM Dataset d{where} "
                f"ORDER BY d.startDate DESC, d.id DESC {INCLUDE} LIMIT {start}, {number}"
            )
        except TooManyError:
            if number < 2:
                raise
        half = number // 2
        first = await self._part(where, start, half)
        return first + await self._part(where, start + half, number - half)

    async def _where(self, query: Query) -> str:
        check_supported(self.name, self.capabilities, query)
        named = await with_whole_names(self._server, query)
        if named is None:
            return f" WHERE {NOTHING}"
        said = conditions_of(
            named,
            result_type=self._settings.result_type,
            zone=self._zone,
            pids=self._pids,
            techniques=await self._server.techniques() if query.technique else (),
            parameter_types={
                position: await self._parameter_types(condition.name)
                for position, condition in enumerate(query.conditions)
            },
        )
        return f" WHERE {' AND '.join(said)}" if said else ""

    async def _parameter_types(self, name: str) -> list[ParameterType]:
        """Types of that name, or whose name ends in ``/name``."""
        rows = await self._server.rows(
            f"SELECT t FROM ParameterType t WHERE {jpql.holds('t.name', name)}"
        )
        found = []
        for row in read_rows(rows, "ParameterType")[0]:
            try:
                one = ParameterType.model_validate(row)
            except ValidationError:
                continue
            whole = one.name.casefold()
            if name.casefold() in (whole, whole.rpartition("/")[2]):
                found.append(one)
        return found

    async def _datasets(self, rows: Sequence[Any]) -> tuple[list[Dataset], int]:
        entities, bad = read_rows(rows, "Dataset")
        results = []
        for entity in entities:
            try:
                results.append(IcatDataset.model_validate(entity))
            except ValidationError:
                bad += 1
        ids = [one.id for one in results if one.type and self._is_result(one.type.name)]
        inputs = await self._inputs(ids)
        found = []
        for one in results:
            dataset = dataset_of(
                one,
                source=self.name,
                pids=self._pids,
                result_type=self._settings.result_type,
                page=self._settings.page,
                inputs=inputs.get(one.id, ()),
            )
            if dataset is None:
                bad += 1
            else:
                found.append(dataset)
        return found, bad

    def _is_result(self, type_name: str) -> bool:
        return type_name.lower() in {self._settings.result_type.lower(), *DERIVED_TYPES}

    async def _files(self, number: int) -> list[Any]:
        """In parts: a server has a limit of its own to what it gives at once."""
        found: list[Any] = []
        while len(found) < MAX_FILES:
            rows = await self._server.rows(
                f"SELECT f FROM Datafile f WHERE f.dataset.id = {number} "
                f"ORDER BY f.id LIMIT {len(found)}, {FILES_AT_ONCE}"
            )
            found += rows
            if len(rows) < FILES_AT_ONCE:
                break
        return found

    async def _inputs(self, results: Sequence[int]) -> dict[int, list[int]]:
        """What these were made of, as far as the user may see it."""
        found: dict[int, list[int]] = {}
        for start in range(0, len(results), 200):
            rows = await self._server.rows(
                "SELECT o.dataset.id, n.dataset.id FROM Job j JOIN j.outputDataCollection oc "
                "JOIN oc.dataCollectionDatasets o JOIN j.inputDataCollection ic "
                "JOIN ic.dataCollectionDatasets n "
                f"WHERE o.dataset.id IN {jpql.ids(results[start : start + 200])}"
            )
            for row in rows:
                if isinstance(row, list) and len(row) == 2 and all(isinstance(n, int) for n in row):
                    found.setdefault(row[0], []).append(row[1])
        return found

    async def _counts(self, query: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in await self._server.rows(query):
            if isinstance(row, list) and len(row) == 2:
                name, number = row
                if isinstance(name, str) and isinstance(number, int):
                    found[name] = number
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MAX_VALUES])

    async def _id(self, pid: str) -> int:
        """The dataset's id, by its PID or its DOI."""
        number = self._pids.id_of(pid)
        if number is None and doi_of(pid) is not None:
            doi = without_resolver(pid)
            forms = [doi, f"doi:{doi}", f"https://doi.org/{doi}"]
            rows = await self._server.rows(
                f"SELECT d.id FROM Dataset d WHERE {jpql.same('d.doi', forms)}"
            )
            number = rows[0] if rows and isinstance(rows[0], int) else None
        if number is None:
            raise not_found(pid, self.name)
        return number


def _and(where: str, condition: str) -> str:
    return f"{where} AND {condition}" if where else f" WHERE {condition}"
