"""One Invenio as a catalogue, with the rights of one user."""

from __future__ import annotations

from typing import Any

import httpx

from nearfield.catalogue._derive import request_digest
from nearfield.catalogue._http import SourceClient
from nearfield.catalogue._offsets import first_of, next_of
from nearfield.catalogue._protocol import Capabilities, Thumbnail, check_supported
from nearfield.catalogue._tokens import TokenSource
from nearfield.catalogue.invenio._depositing import Deposits, deposit
from nearfield.catalogue.invenio._legacy import LegacyServer
from nearfield.catalogue.invenio._rdm import RdmServer
from nearfield.catalogue.invenio._rdm_drafts import RdmDrafts
from nearfield.catalogue.invenio._reading import names_of_record, picture_of_record
from nearfield.catalogue.invenio._search import FILTERS, query_string, quoted
from nearfield.catalogue.sqlite import not_found
from nearfield.config.sources import InvenioSource
from nearfield.datasets import DataFile, Dataset, DerivedDataset
from nearfield.errors import BlockedError, CatalogueError, UsageError
from nearfield.querying import Facets, Page, Query, SourceState
from nearfield.querying.pids import doi_of, without_resolver

WINDOW = 10_000
"""How far the search engine counts pages."""
MAX_SIZE = {True: 100, False: 25}
"""Of a page, with and without a token."""
MAX_PICTURE = 2_000_000
_PICTURES = ("image/png", "image/jpeg", "image/webp")


class InvenioCatalogue:
    """A repository. PIDs are the addresses of its records' pages, without ``https://``.

    Raises:
        CatalogueError: its url cannot be one.
    """

    def __init__(
        self,
        name: str,
        settings: InvenioSource,
        *,
        token: TokenSource | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name, self._settings, self._known = name, settings, token is not None
        self._client = SourceClient(
            name, settings.url, token=token, timeout=settings.timeout, transport=transport
        )
        self._server: RdmServer | LegacyServer
        self._deposits: Deposits
        if settings.api == "legacy":
            self._server = self._deposits = LegacyServer(self._client, settings)
        else:
            self._server = RdmServer(self._client, settings)
            self._deposits = RdmDrafts(self._server)

    @classmethod
    def from_settings(
        cls,
        name: str,
        settings: InvenioSource,
        *,
        token: TokenSource | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> InvenioCatalogue:
        """As the configuration names it."""
        return cls(name, settings, token=token, transport=transport)

    def __repr__(self) -> str:
        return f"InvenioCatalogue({self.name!r}, {self._settings.url!r})"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            derive=self._settings.publish != "no",
            filters=FILTERS,
            text_fields=self._server.text_fields,
            accents=self._server.accents,
            run_ids="user",
            results_of="owner",
        )

    async def search(self, query: Query) -> Page:
        """Records newest first, or by relevance; without their files."""
        first = first_of(query)
        said = await self._query(query)
        if said is None:
            return Page(datasets=(), total=0, offset=first)
        if first >= WINDOW:
            raise UsageError(
                f"{self.name}: shows the first {WINDOW:,} datasets of a search only",
                hint="search more precisely",
            )
        words = bool(query.text.strip() or query.phrases)
        sort = "bestmatch" if query.order == "relevance" and words else "newest"
        limit = min(query.limit, WINDOW - first)
        size = min(limit, MAX_SIZE[self._known])
        hits: list[Any] = []
        page, skipped, total = first // size + 1, first % size, 0
        while True:
            found = await self._server.search(said, page=page, size=size, sort=sort)
            total, got = found.hits.total, found.hits.hits
            hits += got
            page += 1
            if len(got) < size or len(hits) - skipped >= limit or page * size > WINDOW:
                break
        shown = hits[skipped : skipped + limit]
        read = [self._server.dataset(hit) for hit in shown]
        datasets = tuple(dataset for dataset in read if dataset is not None)
        notes = []
        if bad := len(read) - len(datasets):
            notes.append(f"left out {bad} records that cannot be read")
        if total > WINDOW:
            notes.append(f"only the first {WINDOW:,} can be listed")
        return Page(
            datasets=datasets,
            total=max(total - bad, first + len(datasets)) if bad else total,
            offset=first,
            next=next_of(query, first, len(shown), min(total, WINDOW)),
            sources=(
                SourceState(
                    source=self.name,
                    state="answered",
                    message="; ".join(notes) or None,
                    total=total,
                ),
            ),
        )

    async def facets(self, query: Query) -> Facets:
        """Raw and derived ones, and keywords where the repository counts them."""
        said = await self._query(query)
        counts: dict[str, dict[str, int]] = {
            name: {} for name in ("type", "technique", "instrument", "format")
        }
        if said is None:
            return Facets(counts=counts)
        found = await self._server.search(said, page=1, size=1, sort="newest")
        fields = self._server.fields
        derived = await self._server.search(
            f"{said} AND {fields.relation}:{fields.derived_from}", page=1, size=1, sort="newest"
        )
        results = derived.hits.total
        types = {"raw": max(0, found.hits.total - results), "derived": results}
        counts["type"] = {
            name: number
            for name, number in sorted(types.items(), key=lambda item: -item[1])
            if number
        }
        keywords = _buckets((found.aggregations or {}).get("subject"))
        if keywords:
            counts["keyword"] = keywords
        # Aggregations hold the most frequent values alone.
        return Facets(counts=counts, exact=not keywords)

    async def get(self, pid: str) -> Dataset:
        """One record, or a draft of the user's own, with its files."""
        found = await self._server.get(await self._id(pid))
        if found is None:
            raise not_found(pid, self.name)
        return found

    async def files(self, pid: str) -> tuple[DataFile, ...]:
        return (await self.get(pid)).files

    async def derive(self, dataset: DerivedDataset) -> str:
        """Send a result's files and make a draft or a record of them, as the settings say.

        Raises, besides what the protocol says, BlockedError where the settings do not say that it
        takes results, DataFileError and UsageError before anything is sent.
        """
        if self._settings.publish == "no":
            raise BlockedError(
                f"{self.name}: takes no results",
                hint="its settings do not say `publish: draft` or `published`",
            )
        if not self._known:
            raise BlockedError(
                f"{self.name}: takes results with a log-in only", hint="give it a token"
            )
        request_digest(dataset)
        inputs = [await self.get(pid) for pid in dict.fromkeys(dataset.input_datasets)]
        made = await deposit(self._deposits, self._settings, dataset, inputs)
        return self._server.pids.of(made)

    async def thumbnail(self, pid: str) -> Thumbnail | None:
        await self.get(pid)
        where = await picture_of_record(self._server, await self._id(pid))
        if where is None:
            return None
        answer = await self._client.ask("GET", where, max_body=MAX_PICTURE)
        for media_type in _PICTURES:
            if answer.media_type == media_type:
                return Thumbnail(media_type=media_type, content=answer.content)  # type: ignore[arg-type]
        raise CatalogueError(f"{self.name}: a thumbnail that is {answer.media_type[:80]!r}")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _query(self, query: Query) -> str | None:
        check_supported(self.name, self.capabilities, query)
        names: tuple[str, ...] = ()
        number = self._server.pids.id_of(query.input_dataset or "")
        if number is not None:
            names = await names_of_record(self._server, number)
        return query_string(query, self._server.fields, names)

    async def _id(self, pid: str) -> str:
        """The record's id, by its PID or its DOI."""
        pids = self._server.pids
        number = pids.id_of(pid)
        if number is None and (doi := doi_of(pid)) is not None:
            fields, plain = self._server.fields, quoted(without_resolver(pid))
            said = f"({fields.doi}:{plain} OR {fields.all_versions}:{plain})"
            found = await self._server.search(said, page=1, size=5, sort="newest")
            for hit in found.hits.hits:
                dataset = self._server.dataset(hit)
                if dataset is None:
                    continue
                if (dataset.doi or "").casefold() == doi:
                    return pids.id_of(dataset.pid) or ""
                # The DOI of all versions leads to the newest, as it does for people.
                if number is None and _all_versions_of(hit).casefold() == doi:
                    number = pids.id_of(dataset.pid)
        if number is None:
            raise not_found(pid, self.name)
        return number


def _all_versions_of(hit: Any) -> str:
    """The DOI of a record in all its versions, in either dialect; empty where it has none."""
    said = hit.get("conceptdoi")
    for key in ("parent", "pids", "doi", "identifier"):
        hit = hit.get(key) if isinstance(hit, dict) else None
    found = hit or said
    return found if isinstance(found, str) else ""


def _buckets(said: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for bucket in said.get("buckets", ()) if isinstance(said, dict) else ():
        if isinstance(bucket, dict):
            key, number = bucket.get("key"), bucket.get("doc_count")
            if isinstance(key, str) and isinstance(number, int) and number > 0:
                found[key] = number
    return found
