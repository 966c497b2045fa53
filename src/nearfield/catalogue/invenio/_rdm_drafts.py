"""A result in InvenioRDM: a draft with files, its DOI reserved, published where that is wanted.

An attempt that was killed leaves a draft, which the next one finds by the run's identifier in its
metadata and goes on with: what it holds already is compared, not sent again. The index is a moment
late, so that two attempts may both make one: before the end they look again, and only the
oldest draft stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nearfield.catalogue._http import segment
from nearfield.catalogue._inherit import inherited, inherited_access
from nearfield.catalogue.invenio._manifest import KEY, keys_of, manifest_of, names_of_run
from nearfield.catalogue.invenio._rdm import FOUND, RdmServer
from nearfield.catalogue.invenio._rdm_records import DERIVED_FROM, RdmFile, RdmRecord
from nearfield.catalogue.invenio._search import quoted
from nearfield.catalogue.invenio._sending import Sending, check_before
from nearfield.config.sources import InvenioSource
from nearfield.datasets import Dataset, DerivedDataset
from nearfield.errors import (
    BlockedError,
    CatalogueError,
    DatasetNotPermittedError,
    SourceStatusError,
)

WRITING = 60.0
"""Seconds for one step besides sending files."""
_RECORD: TypeAdapter[RdmRecord] = TypeAdapter(RdmRecord)


async def publish(
    server: RdmServer, settings: InvenioSource, wanted: DerivedDataset, inputs: Sequence[Dataset]
) -> str:
    """The id of the draft or record of this result, made now or by an earlier attempt.

    Raises:
        DataFileError, UsageError: the files are not what was said, or too large; nothing is made.
        BlockedError: nobody is named as its creator.
        CatalogueError: the run id is taken by other content, or the repository refuses.
    """
    keys = keys_of(wanted.files, wanted.source_folder)
    if (known := await _winner(server, wanted)) is not None and known.is_published:
        return known.id
    check_before(
        server.name,
        keys,
        max_file=settings.max_file,
        max_dataset=settings.max_dataset,
        max_files=settings.max_files - 1,
    )
    body = _body(server, settings, wanted, inputs)
    draft = known or await _step(server, "POST", "api/records", body=body)
    manifest = manifest_of(wanted, inherited(wanted, inputs), keys)
    sent = {key: Sending(server.name, file) for key, file in keys.items()}
    sent[KEY] = Sending(server.name, manifest)
    await _complete(server, draft, sent)
    # Twice at most: who comes second goes on with the older draft, which then is the oldest.
    for _ in range(2):
        oldest = await _winner(server, wanted)
        if oldest is None or oldest.id == draft.id:
            break
        await _discard(server, draft)
        draft = oldest
        if draft.is_published:
            return draft.id
        await _complete(server, draft, sent)
    if settings.publish == "published":
        await _finish(server, draft)
    return draft.id


async def _winner(server: RdmServer, wanted: DerivedDataset) -> RdmRecord | None:
    """What an attempt of this user has made for this run: what is published, else the oldest.

    Raises:
        CatalogueError: it was made for other content.
    """
    run, request = names_of_run(wanted)
    query = f"{server.fields.identifier}:{quoted(run)}"
    params = {"q": query, "page": "1", "size": "25", "sort": "newest"}
    found = await server.client.json(
        "GET", "api/user/records", params=params, adapter=FOUND, seconds=WRITING
    )
    records = []
    for hit in found.hits.hits:
        try:
            record = RdmRecord.model_validate(hit)
        except ValidationError:
            continue
        if run in record.identifiers:
            records.append(record)
    if any(request not in record.identifiers for record in records):
        raise CatalogueError(
            f"{server.name}: run id {wanted.run_id!r} is taken by another derived dataset",
            hint="publish under a new run id",
        )
    late = datetime.max.replace(tzinfo=UTC)
    records.sort(key=lambda one: (not one.is_published, one.created or late, one.id))
    return records[0] if records else None


async def _complete(server: RdmServer, draft: RdmRecord, sent: dict[str, Sending]) -> None:
    """All files there, whole, and a DOI reserved."""
    place = f"api/records/{segment(draft.id)}/draft"
    listed = await server.client.json("GET", f"{place}/files", seconds=WRITING)
    there = {}
    for entry in listed.get("entries", []) if isinstance(listed, dict) else []:
        file = RdmFile.model_validate(entry)
        there[file.key] = file
    for key, sending in sent.items():
        name = f"{place}/files/{segment(key)}"
        if (known := there.get(key)) is not None:
            whole = known.status == "completed" and known.size == sending.size
            if whole and known.checksum == f"md5:{await sending.hashed()}":
                continue
            await server.client.ask("DELETE", name, seconds=WRITING)
        await _step(server, "POST", f"{place}/files", body=[{"key": key}], record=False)
        await server.client.ask(
            "PUT",
            f"{name}/content",
            content=sending.stream,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(sending.size),
            },
            seconds=sending.seconds,
        )
        said = await _step(server, "POST", f"{name}/commit", record=False)
        kept = RdmFile.model_validate(said)
        if kept.size != sending.size or kept.checksum != f"md5:{sending.md5}":
            await server.client.ask("DELETE", name, seconds=WRITING)
            raise CatalogueError(
                f"{server.name}: {key!r} did not arrive as it was sent ({kept.checksum})",
                hint="publish again: it goes on with what has arrived",
            )
    if draft.doi is None and (await _draft(server, draft)).doi is None:
        await _step(server, "POST", f"{place}/pids/doi", record=False)


async def _draft(server: RdmServer, draft: RdmRecord) -> RdmRecord:
    path = f"api/records/{segment(draft.id)}/draft"
    found: RdmRecord = await server.client.json("GET", path, adapter=_RECORD, seconds=WRITING)
    return found


async def _finish(server: RdmServer, draft: RdmRecord) -> None:
    path = f"api/records/{segment(draft.id)}/draft/actions/publish"
    try:
        await _step(server, "POST", path, record=False)
    except CatalogueError:
        # Another attempt may have done it, or this one, and the answer was lost.
        record, is_draft = await server.record(draft.id)
        if record is None or is_draft:
            raise


async def _discard(server: RdmServer, draft: RdmRecord) -> None:
    """A second draft of the same run; one that stays is found again and passed over."""
    try:
        path = f"api/records/{segment(draft.id)}/draft"
        await server.client.ask("DELETE", path, seconds=WRITING)
    except CatalogueError:
        return


async def _step(
    server: RdmServer, method: str, path: str, *, body: Any = None, record: bool = True
) -> Any:
    try:
        return await server.client.json(
            method, path, body=body, adapter=_RECORD if record else None, seconds=WRITING
        )
    except SourceStatusError as error:
        if error.status == 403:
            raise DatasetNotPermittedError(
                f"{server.name}: you may not make records there",
                hint="ask its administrators, or publish to another catalogue",
            ) from error
        raise


def _body(
    server: RdmServer, settings: InvenioSource, wanted: DerivedDataset, inputs: Sequence[Dataset]
) -> dict[str, Any]:
    facts = inherited(wanted, inputs)
    metadata: dict[str, Any] = {
        "title": wanted.title,
        "publication_date": datetime.now(UTC).date().isoformat(),
        "resource_type": {"id": "dataset"},
        "creators": [{"person_or_org": _person(server, settings)}],
        "identifiers": [{"identifier": one, "scheme": "urn"} for one in names_of_run(wanted)],
        "related_identifiers": [
            {
                "identifier": one.doi or one.landing_page,
                "scheme": "doi" if one.doi else "url",
                "relation_type": {"id": DERIVED_FROM},
                "resource_type": {"id": "dataset"},
            }
            for one in inputs
            if one.doi or one.landing_page
        ],
        "subjects": [
            {"subject": word} for word in dict.fromkeys([*facts.keywords, *facts.techniques])
        ],
    }
    if wanted.description:
        metadata["description"] = wanted.description
    if settings.license is not None:
        metadata["rights"] = [{"id": settings.license}]
    return {"access": _access(inputs), "files": {"enabled": True}, "metadata": metadata}


def _access(inputs: Sequence[Dataset]) -> dict[str, Any]:
    """For its owner alone, unless all inputs are public; from the last embargo's end on."""
    now = datetime.now(UTC)
    access = inherited_access(inputs, "")
    if access.open_at(now):
        return {"record": "public", "files": "public"}
    closed: dict[str, Any] = {"record": "restricted", "files": "restricted"}
    if access.public and access.embargo_until is not None:
        until = access.embargo_until.date().isoformat()
        closed["embargo"] = {"active": True, "until": until, "reason": "as its inputs"}
    return closed


def _person(server: RdmServer, settings: InvenioSource) -> dict[str, str]:
    family, _, given = (settings.creator or "").partition(",")
    if not family.strip():
        raise BlockedError(
            f"{server.name}: a record needs a creator",
            hint="name one in its settings: `creator: Family, Given`",
        )
    if not given.strip():
        return {"type": "organizational", "name": family.strip()}
    return {"type": "personal", "family_name": family.strip(), "given_name": given.strip()}
