"""Zenodo's legacy REST interface, for one user (https://developers.zenodo.org/#rest-api)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from nearfield.catalogue._http import SourceClient, segment
from nearfield.catalogue.invenio._depositing import WRITING, Kept, Wish
from nearfield.catalogue.invenio._html import html_of
from nearfield.catalogue.invenio._legacy_records import ALTERNATE, RELATION, entries_of, record_of
from nearfield.catalogue.invenio._manifest import KEY, MAX_MANIFEST, name_of_run, read_manifest
from nearfield.catalogue.invenio._rdm import FOUND, Found
from nearfield.catalogue.invenio._rdm_records import DRAFT, Pids, RdmRecord, dataset_of
from nearfield.catalogue.invenio._reading import unless_refused
from nearfield.catalogue.invenio._search import Fields, quoted
from nearfield.catalogue.invenio._sending import Sending
from nearfield.config.sources import InvenioSource
from nearfield.datasets import Dataset, DerivedDataset
from nearfield.errors import CatalogueError, SourceLoginError, SourceStatusError

_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_LIST: TypeAdapter[list[Any]] = TypeAdapter(list[Any])
_SORTS = {"newest": "mostrecent", "bestmatch": "bestmatch"}
_DEPOSITIONS = "api/deposit/depositions"


class LegacyServer:
    """Searches and reads; ``Deposits`` too."""

    text_fields = frozenset({"title", "description"})
    accents = False
    fields = Fields(
        created="created",
        keyword="keywords",
        relation="related.relation",
        derived_from=RELATION,
        related="related.identifier",
        identifier="alternate.identifier",
        doi="doi",
        all_versions="conceptdoi",
        datasets="resource_type.type:dataset",
    )

    def __init__(self, client: SourceClient, settings: InvenioSource) -> None:
        self.client, self.name, self.base = client, client.name, client.url
        self.pids = Pids(self.base, "record")
        self._community, self._publishes = settings.community, settings.publish == "published"

    async def search(self, query: str, *, page: int, size: int, sort: str) -> Found:
        """One page; ``sort`` is ``newest`` or ``bestmatch``."""
        params = {"q": query, "page": str(page), "size": str(size), "sort": _SORTS[sort]}
        if self._community is not None:
            params["communities"] = self._community
        found: Found = await self.client.json("GET", "api/records", params=params, adapter=FOUND)
        return found

    def dataset(self, hit: Any) -> Dataset | None:
        """A hit of a search; ``None`` where it cannot be read."""
        record = record_of(hit)
        if record is None or not record.id.isdecimal():
            return None
        try:
            return dataset_of(record, source=self.name, base=self.base, pids=self.pids)
        except ValueError:
            return None

    async def get(self, pid: str) -> Dataset | None:
        """The whole record, or the user's own draft; ``None`` where neither may be seen."""
        said, draft = await self._said(pid)
        if said is None:
            return None
        record, entries = record_of(said), entries_of(said)
        manifest = None
        link = next((one["url"] for one in entries if one["key"] == KEY), None)
        if isinstance(link, str):
            try:
                answer = await self.client.ask("GET", link, max_body=MAX_MANIFEST)
                manifest = read_manifest(answer.content)
            except (SourceStatusError, SourceLoginError):
                manifest = None
        try:
            if record is None or record.id != pid:
                raise ValueError("another record")
            return dataset_of(
                record,
                source=self.name,
                base=self.base,
                pids=self.pids,
                files=entries,
                manifest=manifest,
                draft=draft,
            )
        except ValueError as error:
            raise CatalogueError(f"{self.name}: the record of {pid!r} cannot be read") from error

    async def record(self, pid: str) -> tuple[RdmRecord | None, bool]:
        """The record, and whether it is a draft that was never published."""
        said, draft = await self._said(pid)
        return (record_of(said) if said is not None else None), draft

    async def _said(self, pid: str) -> tuple[dict[str, Any] | None, bool]:
        if not (pid.isascii() and pid.isdecimal() and len(pid) < 20):
            return None, False
        found = await unless_refused(self.client, f"api/records/{segment(pid)}")
        if found is not None:
            return found, False
        draft = f"{_DEPOSITIONS}/{segment(pid)}"
        return await unless_refused(self.client, draft, for_some=True), True

    async def attempts(self, wanted: DerivedDataset) -> list[RdmRecord]:
        name = name_of_run(wanted)
        query = f"({self.fields.identifier}:{quoted(name)} OR notes:{quoted(wanted.run_id)})"
        params = {"q": query, "page": "1", "size": "25", "sort": "mostrecent"}
        found = await self.client.json(
            "GET", _DEPOSITIONS, params=params, adapter=_LIST, seconds=WRITING
        )
        return [record for said in found if (record := record_of(said)) is not None]

    async def current(self, attempt: RdmRecord) -> RdmRecord | None:
        draft = f"{_DEPOSITIONS}/{segment(attempt.id)}"
        said = await unless_refused(self.client, draft, for_some=True)
        return self._record(said) if said is not None else None

    async def create(self, wish: Wish) -> RdmRecord:
        if self._publishes and any(DRAFT in one.warnings for one in wish.inputs):
            # What is told of a record is public here, whoever may open its files.
            raise CatalogueError(
                f"{self.name}: an input is not published yet, and a record's metadata are public",
                hint="publish the input first, or take `publish: draft`",
            )
        said = await self.client.json(
            "POST", _DEPOSITIONS, body={"metadata": _metadata(wish)}, seconds=WRITING
        )
        return self._record(said)

    async def kept(self, draft: RdmRecord) -> dict[str, Kept]:
        said = await self._deposition(draft)
        return {
            str(one["key"]): Kept(
                int(one["size"] or 0), str(one["checksum"] or "").removeprefix("md5:")
            )
            for one in entries_of(said)
        }

    async def send(self, draft: RdmRecord, key: str, sending: Sending, *, anew: bool) -> Kept:
        bucket = draft.links.get("bucket")
        if not isinstance(bucket, str):
            raise CatalogueError(f"{self.name}: a draft without a place for files")
        # What is there under that name is replaced.
        said = await self.client.json(
            "PUT",
            f"{bucket}/{segment(key)}",
            content=sending.stream,
            headers=sending.headers,
            adapter=_OBJECT,
            seconds=sending.seconds,
        )
        return Kept(int(said.get("size") or 0), str(said.get("checksum")).removeprefix("md5:"))

    async def drop(self, draft: RdmRecord, key: str) -> None:
        bucket = draft.links.get("bucket")
        await self.client.ask("DELETE", f"{bucket}/{segment(key)}", seconds=WRITING)

    async def reserve(self, draft: RdmRecord) -> None:
        """It was, when the draft was made (``prereserve_doi``)."""

    async def publish(self, draft: RdmRecord) -> None:
        path = f"{_DEPOSITIONS}/{segment(draft.id)}/actions/publish"
        await self.client.json("POST", path, seconds=WRITING)

    async def discard(self, draft: RdmRecord) -> None:
        """One that cannot be deleted is found again and passed over."""
        try:
            path = f"{_DEPOSITIONS}/{segment(draft.id)}"
            await self.client.ask("DELETE", path, seconds=WRITING)
        except CatalogueError:
            return

    async def _deposition(self, draft: RdmRecord) -> dict[str, Any]:
        path = f"{_DEPOSITIONS}/{segment(draft.id)}"
        found: dict[str, Any] = await self.client.json(
            "GET", path, adapter=_OBJECT, seconds=WRITING
        )
        return found

    def _record(self, said: Any) -> RdmRecord:
        found = record_of(said)
        if found is None:
            raise CatalogueError(f"{self.name}: a deposition that cannot be read")
        return found


def _metadata(wish: Wish) -> dict[str, Any]:
    wanted = wish.wanted
    related = [
        {
            "identifier": one.doi or one.landing_page,
            "relation": RELATION,
            "resource_type": "dataset",
        }
        for one in wish.inputs
        if one.doi or one.landing_page
    ]
    related.append({"identifier": name_of_run(wanted), "relation": ALTERNATE})
    metadata: dict[str, Any] = {
        "upload_type": "dataset",
        "title": wanted.title,
        # Never empty.
        "description": html_of(wanted.description or wanted.title),
        "creators": [{"name": ", ".join(part for part in wish.creator if part)}],
        "publication_date": datetime.now(UTC).date().isoformat(),
        "keywords": list(dict.fromkeys([*wish.facts.keywords, *wish.facts.techniques])),
        "related_identifiers": related,
        "notes": f"Nearfield run {wanted.run_id}",
        "prereserve_doi": True,
        "access_right": "open",
    }
    if wish.embargo is not None:
        metadata |= {"access_right": "embargoed", "embargo_date": wish.embargo.date().isoformat()}
    elif not wish.public:
        metadata["access_right"] = "closed"
    if wish.license is not None and metadata["access_right"] != "closed":
        metadata["license"] = wish.license
    return metadata
