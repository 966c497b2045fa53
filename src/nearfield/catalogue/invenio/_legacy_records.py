"""Zenodo's legacy records and depositions, told as InvenioRDM's.

https://developers.zenodo.org/#representation; RODARE has kept this form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from nearfield.catalogue.invenio._rdm_records import DERIVED_FROM, RdmRecord

RELATION = "isDerivedFrom"
ALTERNATE = "isAlternateIdentifier"


def record_of(said: Any) -> RdmRecord | None:
    """A record of ``/api/records`` or a deposition; ``None`` where it is neither."""
    if not isinstance(said, Mapping) or not isinstance(said.get("metadata"), Mapping):
        return None
    metadata = said["metadata"]
    related = _mappings(metadata.get("related_identifiers"))
    reserved = metadata.get("prereserve_doi")
    reserved_doi = reserved.get("doi") if isinstance(reserved, Mapping) else None
    doi = said.get("doi") or metadata.get("doi") or reserved_doi
    files = entries_of(said)
    owners = said.get("owners") or [said.get("owner")]
    license_ = metadata.get("license")
    try:
        return RdmRecord.model_validate(
            {
                "id": str(said.get("record_id") or said.get("id")),
                "created": said.get("created"),
                "is_published": said.get("submitted", True),
                "access": _access(metadata),
                "metadata": {
                    "title": metadata.get("title"),
                    "description": metadata.get("description"),
                    "publication_date": metadata.get("publication_date"),
                    "creators": [
                        {"person_or_org": {"name": one.get("name")}}
                        for one in _mappings(metadata.get("creators"))
                    ],
                    "subjects": [
                        {"subject": word} for word in metadata.get("keywords") or () if word
                    ],
                    "rights": [
                        {"id": license_.get("id") if isinstance(license_, Mapping) else license_}
                    ],
                    "identifiers": [
                        {"identifier": one.get("identifier")}
                        for one in [
                            *_mappings(metadata.get("alternate_identifiers")),
                            *(one for one in related if one.get("relation") == ALTERNATE),
                        ]
                    ],
                    "related_identifiers": [
                        {
                            "identifier": one.get("identifier"),
                            "relation_type": {"id": DERIVED_FROM},
                        }
                        for one in related
                        if one.get("relation") == RELATION
                    ],
                },
                "parent": {"access": {"owned_by": {"user": owners[0]}}},
                "pids": {"doi": {"identifier": doi}} if doi else {},
                "files": {"total_bytes": sum(int(one["size"] or 0) for one in files)},
                "links": _links(said),
            }
        )
    except (ValidationError, AttributeError, TypeError, ValueError):
        return None


def entries_of(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its files, as InvenioRDM lists them. A record's and a deposition's have other names."""
    found = []
    for file in _mappings(said.get("files")):
        links = file.get("links")
        links = links if isinstance(links, Mapping) else {}
        checksum = file.get("checksum")
        if isinstance(checksum, str) and ":" not in checksum:
            checksum = f"md5:{checksum}"
        found.append(
            {
                "key": file.get("key") or file.get("filename"),
                "size": file.get("size", file.get("filesize")),
                "checksum": checksum,
                "updated": said.get("updated") or said.get("modified"),
                "url": links.get("self") if "key" in file else links.get("download"),
            }
        )
    return found


def _access(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of all records are public; their files are what this is about."""
    right = metadata.get("access_right", "open")
    said: dict[str, Any] = {"record": "public", "files": "public"}
    if right != "open":
        said["files"] = "restricted"
    if right == "embargoed":
        said["embargo"] = {"active": True, "until": metadata.get("embargo_date")}
    return said


def _links(said: Mapping[str, Any]) -> dict[str, Any]:
    links = said.get("links")
    links = dict(links) if isinstance(links, Mapping) else {}
    thumbs = links.get("thumbs")
    return {**links, **({"thumbnails": thumbs} if isinstance(thumbs, Mapping) else {})}


def _mappings(said: Any) -> list[Mapping[str, Any]]:
    return [one for one in said if isinstance(one, Mapping)] if isinstance(said, list) else []
