"""Records of a fake InvenioRDM: what their metadata may be, and how they are shown and indexed.

https://inveniordm.docs.cern.ch/reference/metadata/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from nearfield.testing.fake_invenio_search import Field

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_URL = re.compile(r"https?://\S+")
_URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,31}:\S+", re.IGNORECASE)
_SCHEMES = {"doi": _DOI, "url": _URL, "urn": _URN}
_RELATIONS = frozenset({"isderivedfrom", "cites", "issupplementto", "ispartof", "references"})
_METADATA = frozenset(
    {
        *("title", "publication_date", "resource_type", "creators", "identifiers", "subjects"),
        *("related_identifiers", "description", "rights", "publisher", "version", "dates"),
    }
)
_REQUIRED = ("title", "publication_date", "resource_type", "creators")


class MetadataError(ValueError):
    """What Invenio would not store."""


def checked(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata, where they are of the documented form.

    Raises:
        MetadataError: an unknown field, or a value that does not fit.
    """
    if unknown := set(metadata) - _METADATA:
        raise MetadataError(f"unknown fields {sorted(unknown)}")
    for one in metadata.get("identifiers", ()):
        _fits(one, {"identifier", "scheme"})
        _identifier(one)
    schemes = [one["scheme"] for one in metadata.get("identifiers", ())]
    if len(schemes) != len(set(schemes)):
        raise MetadataError("Only one identifier per scheme is allowed.")
    for one in metadata.get("related_identifiers", ()):
        _fits(one, {"identifier", "scheme", "relation_type", "resource_type"})
        _identifier(one)
        if one["relation_type"]["id"] not in _RELATIONS:
            raise MetadataError(f"unknown relation {one['relation_type']}")
    for one in metadata.get("subjects", ()):
        if set(one) not in ({"subject"}, {"id"}):
            raise MetadataError(f"subjects: {one}")
    for one in metadata.get("creators", ()):
        person = one["person_or_org"]
        named = "family_name" if person["type"] == "personal" else "name"
        if not person.get(named):
            raise MetadataError(f"creators: {named} is missing")
    if metadata.get("resource_type", {"id": ""}).keys() != {"id"}:
        raise MetadataError("resource_type: needs an id")
    return metadata


def problems(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What keeps it from being published: told of a new draft, refused later."""
    found = [
        {"field": f"metadata.{name}", "messages": ["Missing data for required field."]}
        for name in _REQUIRED
        if not metadata.get(name)
    ]
    found += [
        {"field": f"metadata.{name}", "messages": ["Shorter than minimum length 3."]}
        for name in ("title", "description")
        if 0 < len(metadata.get(name) or "") < 3
    ]
    if not metadata.get("publisher"):
        words = "Missing publisher field required for DOI registration."
        found.append({"field": "metadata.publisher", "messages": [words]})
    return found


def shown(record: Any, url: str, files: bool) -> dict[str, Any]:
    """The JSON of a record or draft; with its files for who may see them."""
    metadata = {**record.metadata}
    metadata["creators"] = [
        {"person_or_org": {**one["person_or_org"], "name": _name(one["person_or_org"])}}
        for one in metadata.get("creators", ())
    ]
    kind = metadata.get("resource_type", {}).get("id")
    metadata["resource_type"] = {"id": kind, "title": {"en": kind}}
    page = "records" if record.published else "uploads"
    links: dict[str, Any] = {"self_html": f"{url}/{page}/{record.id}"}
    if record.thumbnails:
        links["thumbnails"] = {
            size: f"{url}/api/iiif/record:{record.id}:a.png/full/%5E{size},/0/default.jpg"
            for size in ("10", "100", "250", "750")
        }
    embargo = {"active": False, "reason": None, **record.access.get("embargo", {})}
    said: dict[str, Any] = {
        "id": record.id,
        "created": record.created.isoformat(),
        "updated": record.created.isoformat(),
        "is_published": record.published,
        "access": {**record.access, "embargo": embargo, "status": _status(record.access)},
        "metadata": metadata,
        "parent": {
            "id": f"{record.id}-p",
            "pids": {"doi": {"identifier": f"10.5072/{record.id}-p"}} if record.published else {},
            "access": {"owned_by": {"user": record.owner}},
            "communities": {"entries": [{"slug": name} for name in sorted(record.communities)]},
        },
        "pids": {},
        "files": {"enabled": True},
        "links": links,
        "versions": {"index": 1, "is_latest": True},
    }
    if record.doi is not None:
        said["pids"] = {"doi": {"identifier": record.doi, "provider": "datacite"}}
    if files:
        complete = [f for f in record.files.values() if f["status"] == "completed"]
        said["files"]["count"] = len(complete)
        said["files"]["total_bytes"] = sum(f.get("size", len(f["content"])) for f in complete)
    return said


def _status(access: Mapping[str, Any]) -> str:
    if access.get("embargo", {}).get("active"):
        return "embargoed"
    return "restricted" if "restricted" in (access["record"], access["files"]) else "open"


def _name(person: Mapping[str, Any]) -> str:
    parts = [person.get("family_name"), person.get("given_name")]
    return person.get("name") or ", ".join(part for part in parts if part)


def _fits(one: Mapping[str, Any], known: set[str]) -> None:
    if unknown := set(one) - known:
        raise MetadataError(f"unknown fields {sorted(unknown)}")


def _identifier(one: Mapping[str, Any]) -> None:
    pattern = _SCHEMES.get(one["scheme"])
    if pattern is None or not pattern.fullmatch(one["identifier"]):
        raise MetadataError(f"not of its scheme: {one}")


def _texts(*path: str) -> Callable[[Mapping[str, Any]], list[Any]]:
    """The values below a path, through lists."""

    def values(record: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = [record]
        for step in path:
            below: list[Any] = []
            for one in found:
                said = one.get(step)
                below += said if isinstance(said, list) else [] if said is None else [said]
            found = below
        return found

    return values


def _created(record: Mapping[str, Any]) -> list[datetime]:
    return [datetime.fromisoformat(record["created"])]


_PERSON = ("metadata", "creators", "person_or_org", "name")
_RELATED = ("metadata", "related_identifiers")
FIELDS: dict[str, Field] = {
    "id": Field("keyword", _texts("id"), default=True),
    "created": Field("date", _created),
    "metadata.title": Field("analysed", _texts("metadata", "title"), default=True),
    "metadata.title.original": Field("text", _texts("metadata", "title"), default=True),
    "metadata.description": Field("analysed", _texts("metadata", "description"), default=True),
    "metadata.creators.person_or_org.name": Field("analysed", _texts(*_PERSON), default=True),
    "metadata.subjects.subject": Field(
        "text", _texts("metadata", "subjects", "subject"), default=True
    ),
    "metadata.subjects.subject.keyword": Field(
        "keyword", _texts("metadata", "subjects", "subject")
    ),
    "metadata.identifiers.identifier": Field(
        "text", _texts("metadata", "identifiers", "identifier"), default=True
    ),
    "metadata.related_identifiers.identifier": Field("keyword", _texts(*_RELATED, "identifier")),
    "metadata.related_identifiers.relation_type.id": Field(
        "keyword", _texts(*_RELATED, "relation_type", "id")
    ),
    "pids.doi.identifier": Field("text", _texts("pids", "doi", "identifier")),
    "parent.pids.doi.identifier": Field("text", _texts("parent", "pids", "doi", "identifier")),
    "metadata.resource_type.id": Field("keyword", _texts("metadata", "resource_type", "id")),
}
