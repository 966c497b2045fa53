"""InvenioRDM's records as datasets (https://inveniordm.docs.cern.ch/reference/metadata/)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from nearfield.catalogue.invenio._html import text_of
from nearfield.catalogue.invenio._manifest import KEY, Manifest, run_in
from nearfield.datasets import MAX_TITLE, Access, DataFile, Dataset

_ID = re.compile(r"[0-9a-z]+(-[0-9a-z]+)*")
DERIVED_FROM = "isderivedfrom"
MAX_PID = 400


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _said(cls, values: Any) -> Any:
        """A null is nothing said, wherever it stands."""
        if not isinstance(values, Mapping):
            return values
        return {name: value for name, value in values.items() if value is not None}


class _Identifier(_Model):
    identifier: str
    scheme: str | None = None


class _Id(_Model):
    id: str


class _Related(_Identifier):
    relation_type: _Id


class _Person(_Model):
    name: str | None = None
    family_name: str | None = None
    given_name: str | None = None


class _Creator(_Model):
    person_or_org: _Person


class _Subject(_Model):
    subject: str | None = None
    id: str | None = None


class _Rights(_Model):
    id: str | None = None


class _Metadata(_Model):
    title: str | None = None
    description: str | None = None
    publication_date: str | None = None
    creators: tuple[_Creator, ...] = ()
    subjects: tuple[_Subject, ...] = ()
    rights: tuple[_Rights, ...] = ()
    identifiers: tuple[_Identifier, ...] = ()
    related_identifiers: tuple[_Related, ...] = ()


class _Embargo(_Model):
    active: bool = False
    until: str | None = None


class _Access(_Model):
    record: str = "public"
    files: str = "public"
    embargo: _Embargo = _Embargo()


class _Owner(_Model):
    user: str | int | None = None


class _ParentAccess(_Model):
    owned_by: _Owner | None = None

    @field_validator("owned_by", mode="before")
    @classmethod
    def _first(cls, said: Any) -> Any:
        """Before InvenioRDM 11 it was a list."""
        return (said[0] if said else None) if isinstance(said, list) else said


class _Parent(_Model):
    access: _ParentAccess = _ParentAccess()


class _Doi(_Model):
    identifier: str


class _Files(_Model):
    total_bytes: int | None = Field(default=None, ge=0)
    count: int | None = Field(default=None, ge=0)


class RdmFile(_Model):
    """An entry of ``/files``."""

    key: str
    size: int | float | None = None
    checksum: str | None = None
    status: str = "completed"
    url: str | None = None
    updated: datetime | None = None


class Problem(_Model):
    """What keeps a draft from being published."""

    field: str = ""
    messages: Any = None

    @property
    def said(self) -> str:
        """In one line."""
        parts = self.messages if isinstance(self.messages, list) else [self.messages]
        return " ".join(" ".join(str(part).split()) for part in parts if part)


class RdmRecord(_Model):
    """A record or a draft."""

    id: str
    created: datetime | None = None
    is_published: bool | None = None
    access: _Access = _Access()
    metadata: _Metadata = _Metadata()
    parent: _Parent = _Parent()
    pids: dict[str, _Doi] = {}
    files: _Files = _Files()
    links: dict[str, Any] = {}
    errors: tuple[Problem, ...] = ()

    @property
    def doi(self) -> str | None:
        return self.pids["doi"].identifier if "doi" in self.pids else None

    @property
    def identifiers(self) -> list[str]:
        return [one.identifier for one in self.metadata.identifiers]


class Pids:
    """The address of a record's page without its scheme, as ``host/records/ID``.

    The ids of two repositories may be the same small numbers.
    """

    def __init__(self, base: str, page: str) -> None:
        self._pages = f"{base}/{page}/"
        self._head = self._pages.partition("://")[2]

    def of(self, number: str) -> str:
        return self._head + number

    def page(self, number: str) -> str:
        """The page for people; where it is, or will be once it is published."""
        return self._pages + number

    def id_of(self, pid: str) -> str | None:
        """The id that a PID stands for; ``None`` where it is not one of this repository's."""
        number = pid.removeprefix(self._head)
        return number if number != pid and is_id(number) else None

    def named(self, page: str) -> str | None:
        """The id of the record that has this page."""
        number = page.removeprefix(self._pages)
        return number if number != page and is_id(number) else None


def is_id(number: str) -> bool:
    """Can it be a record's id?"""
    return len(number) <= 60 and _ID.fullmatch(number) is not None


DRAFT = "a draft: not published yet"
"""What is said of one (``Dataset.warnings``)."""


def dataset_of(
    record: RdmRecord,
    *,
    source: str,
    base: str,
    pids: Pids,
    files: Sequence[Mapping[str, Any]] | None = None,
    manifest: Manifest | None = None,
    draft: bool = False,
) -> Dataset:
    """One dataset; ``files`` are the entries of its list, ``None`` where it was not asked for.

    Raises:
        ValidationError: it cannot be one.
    """
    metadata, warnings = record.metadata, []
    title = metadata.title
    if title is not None and len(title) > MAX_TITLE:
        warnings.append(f"its title has {len(title)} characters; {MAX_TITLE} are shown")
        title = title[:MAX_TITLE]
    if draft:
        warnings.append(DRAFT)
    elif record.access.files == "restricted" and record.access.record == "public":
        warnings.append("its files are restricted")
    run = run_in(record.identifiers)
    run_id = run[0] if run is not None else None
    if manifest is not None and manifest.run_id != run_id:
        # Somebody's copy of another record's file says nothing of this one.
        manifest = None
    read, checksums = _files(record, base, files or (), manifest, draft=draft)
    inputs = inputs_of(record, pids, manifest)
    scientific: dict[str, Any] = dict(manifest.scientific) if manifest else {}
    if metadata.publication_date:
        scientific["publication_date"] = metadata.publication_date
    if checksums:
        scientific["checksums"] = checksums
    return Dataset(
        pid=pids.of(record.id),
        type="derived" if inputs or run_id else "raw",
        title=title,
        description=manifest.description if manifest else text_of(metadata.description),
        techniques=manifest.techniques if manifest else (),
        technique_ids=manifest.technique_ids if manifest else (),
        instrument=manifest.instrument if manifest else None,
        facility=manifest.facility if manifest else None,
        sample=manifest.sample if manifest else None,
        proposal=manifest.proposal if manifest else None,
        keywords=tuple(word for one in metadata.subjects if (word := one.subject or one.id)),
        creators=tuple(
            name for one in metadata.creators if (name := _name(one.person_or_org)) is not None
        ),
        license=next((one.id for one in metadata.rights if one.id), None),
        doi=record.doi,
        landing_page=pids.page(record.id),
        source=source,
        thumbnail=bool(record.links.get("thumbnails")),
        size=sum(file.size for file in read)
        if files is not None
        else record.files.total_bytes or 0,
        files=read,
        access=_access(record, draft=draft),
        warnings=tuple(warnings),
        scientific=scientific,
        run_id=run_id,
        input_datasets=inputs,
        used_software=manifest.used_software if manifest else (),
        job_parameters=manifest.job_parameters if manifest else {},
        created=record.created,
    )


def inputs_of(record: RdmRecord, pids: Pids, manifest: Manifest | None) -> tuple[str, ...]:
    """PIDs of what it says that it is derived from; a foreign input is named as it is named there.

    The manifest knows the PIDs where it names as many inputs as the record does.
    """
    said = [
        one.identifier
        for one in record.metadata.related_identifiers
        if one.relation_type.id == DERIVED_FROM
    ]
    if manifest is not None and len(manifest.inputs) == len(said):
        return manifest.inputs
    named = (_own_pid(name, record, pids) for name in said)
    return tuple(dict.fromkeys(pid for pid in named if 0 < len(pid) <= MAX_PID))


def _own_pid(name: str, record: RdmRecord, pids: Pids) -> str:
    number = pids.named(name) or ""
    own = record.doi or ""
    stem = own.removesuffix(record.id)
    if not number and own.endswith(record.id) and stem and name.startswith(stem):
        # The repository makes its DOIs of its ids.
        number = name.removeprefix(stem)
    return pids.of(number) if is_id(number) else quote(name, safe="/:.()-_;?=&#@+,~!*'[]%")


def _name(person: _Person) -> str | None:
    parts = [part for part in (person.family_name, person.given_name) if part]
    return person.name or ", ".join(parts) or None


def _access(record: RdmRecord, *, draft: bool) -> Access:
    owner = record.parent.access.owned_by
    said = record.access
    until = _day(said.embargo.until) if said.embargo.active else None
    restricted = "restricted" in (said.record, said.files)
    return Access(
        owner=str(owner.user) if owner is not None and owner.user is not None else None,
        public=not draft and (not restricted or until is not None),
        embargo_until=until if not draft else None,
    )


def _day(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _files(
    record: RdmRecord,
    base: str,
    entries: Sequence[Mapping[str, Any]],
    manifest: Manifest | None,
    *,
    draft: bool,
) -> tuple[tuple[DataFile, ...], dict[str, str]]:
    known = {file.key: file for file in manifest.files} if manifest else {}
    found: list[DataFile] = []
    checksums: dict[str, str] = {}
    part = "draft/files" if draft else "files"
    for entry in entries:
        try:
            file = RdmFile.model_validate(entry)
            if file.status != "completed" or (file.key == KEY and manifest is not None):
                continue
            size = int(file.size or 0)
            told = known.get(file.key)
            found.append(
                DataFile(
                    path=f"/{file.key}",
                    size=size,
                    mtime=file.updated or record.created or datetime(1970, 1, 1, tzinfo=UTC),
                    sha256=told.sha256 if told is not None and told.size == size else None,
                    role="result" if manifest is not None else "linked" if found else "root",
                    url=file.url
                    or f"{base}/api/records/{record.id}/{part}/{quote(file.key, safe='')}/content",
                )
            )
        except ValidationError:
            continue
        if file.checksum:
            checksums[file.key] = file.checksum
    if known:
        order = list(known)
        found.sort(
            key=lambda one: order.index(key) if (key := one.path[1:]) in known else MAX_TITLE
        )
    return tuple(found), checksums
