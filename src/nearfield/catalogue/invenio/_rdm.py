"""InvenioRDM's REST interface, for one user.

https://inveniordm.docs.cern.ch/reference/rest_api_drafts_records/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from nearfield.catalogue._http import SourceClient, segment
from nearfield.catalogue.invenio._manifest import KEY, MAX_MANIFEST, Manifest, read_manifest
from nearfield.catalogue.invenio._rdm_records import (
    DERIVED_FROM,
    Pids,
    RdmRecord,
    dataset_of,
    is_id,
)
from nearfield.catalogue.invenio._search import TEXT_FIELDS, Fields
from nearfield.config.sources import InvenioSource
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueError, SourceLoginError, SourceStatusError

_ANYTHING: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class _Hits(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    hits: list[Any]
    total: int = Field(ge=0)


class Found(BaseModel):
    """One page of a search."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hits: _Hits
    aggregations: dict[str, Any] | None = None


FOUND: TypeAdapter[Found] = TypeAdapter(Found)


class RdmServer:
    """What is asked of it, as records."""

    text_fields = TEXT_FIELDS
    accents = True
    fields = Fields(
        created="created",
        keyword="metadata.subjects.subject.keyword",
        relation="metadata.related_identifiers.relation_type.id",
        derived_from=DERIVED_FROM,
        related="metadata.related_identifiers.identifier",
        identifier="metadata.identifiers.identifier",
        doi="pids.doi.identifier",
        datasets="metadata.resource_type.id:dataset",
    )

    def __init__(self, client: SourceClient, settings: InvenioSource) -> None:
        self.client, self.name = client, client.name
        self.base, self._community = client.url, settings.community
        self.pids = Pids(self.base, "records")

    async def search(self, query: str, *, page: int, size: int, sort: str) -> Found:
        """One page; ``sort`` is ``newest`` or ``bestmatch``."""
        path = "api/records"
        if self._community is not None:
            path = f"api/communities/{segment(self._community)}/records"
        params = {"q": query, "page": str(page), "size": str(size), "sort": sort}
        found: Found = await self.client.json("GET", path, params=params, adapter=FOUND)
        return found

    def dataset(self, hit: Any) -> Dataset | None:
        """A hit of a search; ``None`` where it cannot be read."""
        try:
            record = RdmRecord.model_validate(hit)
            found = dataset_of(record, source=self.name, base=self.base, pids=self.pids)
        except ValidationError:
            return None
        return found if is_id(record.id) else None

    async def get(self, pid: str) -> Dataset | None:
        """The whole record, or the user's own draft; ``None`` where neither may be seen.

        Raises:
            CatalogueError: what comes is no record.
        """
        record, draft = await self.record(pid)
        if record is None:
            return None
        entries: list[Mapping[str, Any]] = []
        place = f"api/records/{segment(pid)}" + ("/draft" if draft else "")
        listed = await self._unless_refused("GET", f"{place}/files")
        if listed is not None and isinstance(listed.get("entries"), list):
            entries = [one for one in listed["entries"] if isinstance(one, dict)]
        manifest = None
        if any(entry.get("key") == KEY for entry in entries):
            manifest = await self._manifest(place)
        try:
            return dataset_of(
                record,
                source=self.name,
                base=self.base,
                pids=self.pids,
                files=entries,
                manifest=manifest,
                draft=draft,
            )
        except ValidationError as error:
            raise self._unreadable(pid) from error

    async def record(self, pid: str) -> tuple[RdmRecord | None, bool]:
        """The record, and whether it is a draft that was never published."""
        if not is_id(pid):
            return None, False
        said = await self._unless_refused("GET", f"api/records/{segment(pid)}")
        draft = said is None
        if said is None:
            said = await self._unless_refused("GET", f"api/records/{segment(pid)}/draft")
        if said is None:
            return None, False
        try:
            record = RdmRecord.model_validate(said)
        except ValidationError as error:
            raise self._unreadable(pid) from error
        if record.id != pid:
            raise CatalogueError(f"{self.name}: answered {pid!r} with another record")
        return record, draft

    async def names(self, pid: str) -> tuple[str, ...]:
        """What other records call this one when they are derived from it."""
        record, _ = await self.record(pid)
        if record is None:
            return ()
        return tuple(one for one in (record.doi, self.pids.page(record.id)) if one)

    async def picture(self, pid: str) -> str | None:
        """Where its thumbnail is."""
        record, _ = await self.record(pid)
        return picture_in(record) if record is not None else None

    async def _manifest(self, place: str) -> Manifest | None:
        try:
            answer = await self.client.ask(
                "GET", f"{place}/files/{segment(KEY)}/content", max_body=MAX_MANIFEST
            )
        except SourceStatusError:
            return None
        return read_manifest(answer.content)

    async def _unless_refused(self, method: str, path: str) -> dict[str, Any] | None:
        """``None`` where there is nothing that the user may see."""
        try:
            found: dict[str, Any] = await self.client.json(method, path, adapter=_ANYTHING)
            return found
        except SourceStatusError as error:
            if error.status in (403, 404, 410):
                return None
            raise
        except SourceLoginError:
            if path.endswith(("/draft", "/files")):
                # Nobody has drafts, and nobody opens what is restricted.
                return None
            raise

    def _unreadable(self, pid: str) -> CatalogueError:
        return CatalogueError(f"{self.name}: the record of {pid!r} cannot be read")


def picture_in(record: RdmRecord) -> str | None:
    """The smallest of its thumbnails that is no blur on a card."""
    sizes = record.links.get("thumbnails")
    if not isinstance(sizes, dict):
        return None
    known = {int(s): url for s, url in sizes.items() if s.isdecimal() and isinstance(url, str)}
    big = sorted(size for size in known if size >= 250)
    return known[big[0] if big else max(known)] if known else None
