"""The steps of a deposit in InvenioRDM.

https://inveniordm.docs.cern.ch/reference/rest_api_drafts_records/
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nearfield.catalogue._http import segment
from nearfield.catalogue.invenio._depositing import WRITING, Kept, Wish
from nearfield.catalogue.invenio._html import html_of
from nearfield.catalogue.invenio._manifest import name_of_run
from nearfield.catalogue.invenio._rdm import FOUND, RdmServer
from nearfield.catalogue.invenio._rdm_records import DERIVED_FROM, RdmFile, RdmRecord
from nearfield.catalogue.invenio._search import quoted
from nearfield.catalogue.invenio._sending import Sending
from nearfield.datasets import DerivedDataset
from nearfield.errors import CatalogueError

_RECORD: TypeAdapter[RdmRecord] = TypeAdapter(RdmRecord)
_FILE: TypeAdapter[RdmFile] = TypeAdapter(RdmFile)


class RdmDrafts:
    """``Deposits`` of an InvenioRDM."""

    def __init__(self, server: RdmServer) -> None:
        self.name, self._server, self._client = server.name, server, server.client

    async def attempts(self, wanted: DerivedDataset) -> list[RdmRecord]:
        # The field is analysed: a part of the identifier is found as a phrase.
        query = f"{self._server.fields.identifier}:{quoted(wanted.run_id)}"
        params = {"q": query, "page": "1", "size": "25", "sort": "newest"}
        found = await self._client.json(
            "GET", "api/user/records", params=params, adapter=FOUND, seconds=WRITING
        )
        records = []
        for hit in found.hits.hits:
            try:
                records.append(RdmRecord.model_validate(hit))
            except ValidationError:
                continue
        return records

    async def current(self, attempt: RdmRecord) -> RdmRecord | None:
        record, draft = await self._server.record(attempt.id)
        return record and record.model_copy(update={"is_published": not draft})

    async def create(self, wish: Wish) -> RdmRecord:
        body = {"access": _access(wish), "files": {"enabled": True}, "metadata": _metadata(wish)}
        made = await self._record("POST", "api/records", body)
        # Kept all the same, without what is wrong; said now, before gigabytes are sent for nothing.
        wrong = [one for one in made.errors if not one.field.startswith("files")]
        if wrong:
            await self.discard(made)
            told = "; ".join(f"{one.field}: {one.said}" for one in wrong[:5])
            raise CatalogueError(
                f"{self.name}: does not take the result's metadata: {told[:400]}",
                hint="nothing was sent; say it otherwise, and publish again",
            )
        return made

    async def kept(self, draft: RdmRecord) -> dict[str, Kept]:
        listed = await self._client.json("GET", f"{_place(draft)}/files", seconds=WRITING)
        entries = listed.get("entries") if isinstance(listed, dict) else None
        files = [RdmFile.model_validate(entry) for entry in entries or ()]
        return {file.key: _kept(file) for file in files}

    async def send(self, draft: RdmRecord, key: str, sending: Sending, *, anew: bool) -> Kept:
        if anew:
            await self.drop(draft, key)
        name = f"{_place(draft)}/files/{segment(key)}"
        await self._client.json(
            "POST", f"{_place(draft)}/files", body=[{"key": key}], seconds=WRITING
        )
        await self._client.ask(
            "PUT",
            f"{name}/content",
            content=sending.stream,
            headers=sending.headers,
            seconds=sending.seconds,
        )
        said: RdmFile = await self._client.json(
            "POST", f"{name}/commit", adapter=_FILE, seconds=WRITING
        )
        return _kept(said)

    async def drop(self, draft: RdmRecord, key: str) -> None:
        path = f"{_place(draft)}/files/{segment(key)}"
        await self._client.ask("DELETE", path, seconds=WRITING)

    async def reserve(self, draft: RdmRecord) -> None:
        if draft.doi is None and (await self._record("GET", _place(draft))).doi is None:
            await self._client.json("POST", f"{_place(draft)}/pids/doi", seconds=WRITING)

    async def publish(self, draft: RdmRecord) -> None:
        path = f"{_place(draft)}/actions/publish"
        await self._client.json("POST", path, seconds=WRITING)

    async def discard(self, draft: RdmRecord) -> None:
        """One that cannot be deleted is found again and passed over."""
        try:
            await self._client.ask("DELETE", _place(draft), seconds=WRITING)
        except CatalogueError:
            return

    async def _record(self, method: str, path: str, body: Any = None) -> RdmRecord:
        found: RdmRecord = await self._client.json(
            method, path, body=body, adapter=_RECORD, seconds=WRITING
        )
        return found


def _place(draft: RdmRecord) -> str:
    return f"api/records/{segment(draft.id)}/draft"


def _kept(file: RdmFile) -> Kept:
    md5 = (file.checksum or "").removeprefix("md5:") or None
    return Kept(int(file.size or 0), md5, file.status == "completed")


def _metadata(wish: Wish) -> dict[str, Any]:
    family, given = wish.creator
    person = (
        {"type": "personal", "family_name": family, "given_name": given}
        if given
        else {"type": "organizational", "name": family}
    )
    words = dict.fromkeys([*wish.facts.keywords, *wish.facts.techniques])
    metadata: dict[str, Any] = {
        "title": wish.wanted.title,
        "publication_date": datetime.now(UTC).date().isoformat(),
        "resource_type": {"id": "dataset"},
        "creators": [{"person_or_org": person}],
        "publisher": wish.publisher,
        "identifiers": [{"identifier": name_of_run(wish.wanted), "scheme": "urn"}],
        "related_identifiers": [
            {
                "identifier": one.doi or one.landing_page,
                "scheme": "doi" if one.doi else "url",
                "relation_type": {"id": DERIVED_FROM},
                "resource_type": {"id": "dataset"},
            }
            for one in wish.inputs
            if one.doi or one.landing_page
        ],
        "subjects": [{"subject": word} for word in words],
    }
    if wish.wanted.description:
        metadata["description"] = html_of(wish.wanted.description)
    if wish.license is not None:
        metadata["rights"] = [{"id": wish.license}]
    return metadata


def _access(wish: Wish) -> dict[str, Any]:
    """For its owner alone, unless all inputs are public; from the last embargo's end on."""
    if wish.public:
        return {"record": "public", "files": "public"}
    closed: dict[str, Any] = {"record": "restricted", "files": "restricted"}
    if wish.embargo is not None:
        until = wish.embargo.date().isoformat()
        closed["embargo"] = {"active": True, "until": until, "reason": "as its inputs"}
    return closed
