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
from nearfield.catalogue.invenio._reading import unless_refused
from nearfield.catalogue.invenio._search import TEXT_FIELDS, Fields
from nearfield.config.sources import InvenioSource
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueError, SourceStatusError


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
        all_versions="parent.pids.doi.identifier",
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
        # Nobody opens what is restricted.
        listed = await unless_refused(self.client, f"{place}/files", for_some=True)
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
        place = f"api/records/{segment(pid)}"
        said = await unless_refused(self.client, place)
        draft = said is None
        if said is None:
            said = await unless_refused(self.client, f"{place}/draft", for_some=True)
        if said is None:
            return None, False
        try:
            record = RdmRecord.model_validate(said)
        except ValidationError as error:
            raise self._unreadable(pid) from error
        if record.id != pid:
            raise CatalogueError(f"{self.name}: answered {pid!r} with another record")
        return record, draft

    async def _manifest(self, place: str) -> Manifest | None:
        try:
            answer = await self.client.ask(
                "GET", f"{place}/files/{segment(KEY)}/content", max_body=MAX_MANIFEST
            )
        except SourceStatusError:
            return None
        return read_manifest(answer.content)

    def _unreadable(self, pid: str) -> CatalogueError:
        return CatalogueError(f"{self.name}: the record of {pid!r} cannot be read")
