"""A repository with Zenodo's legacy REST interface, in memory; RODARE has kept that form.

Records, depositions and buckets of files as https://developers.zenodo.org/ has them. Stricter than
that: a parameter or a field that is not named there is an error. Metadata of records are public;
``access_right`` is about their files.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import httpx

from nearfield.testing.fake_invenio_search import Field, SearchError, compiled

_METADATA = frozenset(
    {
        *("upload_type", "title", "description", "creators", "publication_date", "keywords"),
        *("related_identifiers", "notes", "prereserve_doi", "access_right", "embargo_date"),
        *("license", "communities", "access_conditions", "version"),
    }
)
_REQUIRED = ("upload_type", "title", "description", "creators", "access_right")


@dataclass
class _Refused(Exception):
    status: int
    message: str


@dataclass
class Deposition:
    """A draft, or the record that it has become."""

    id: int
    owner: str
    metadata: dict[str, Any]
    created: datetime
    submitted: bool = False
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class FakeLegacyInvenio:
    """Users by their tokens; ``late``: searches see what there was at the last :meth:`refresh`."""

    url: str = "http://invenio.test"
    tokens: dict[str, str] = field(default_factory=dict)
    depositions: dict[int, Deposition] = field(default_factory=dict)
    late: bool = False
    after: Callable[[httpx.Request, httpx.Response], None] | None = None
    """Called when a request was carried out, before its answer: a test may break off there."""
    requests: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1001)
        self._index: dict[int, Deposition] = {}

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """For a driver."""
        return httpx.MockTransport(self.answer)

    def refresh(self) -> None:
        """The index has caught up."""
        self._index = copy.deepcopy(self.depositions)

    def put(self, owner: str, metadata: dict[str, Any], **fields: Any) -> Deposition:
        """A published record."""
        number = next(self._numbers)
        created = fields.pop("created", datetime.now(UTC))
        found = Deposition(number, owner, _checked(metadata), created, submitted=True, **fields)
        self.depositions[number] = found
        return found

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the server says to one request."""
        self.requests.append(request)
        try:
            found = self._route(request)
        except _Refused as error:
            said = {"status": error.status, "message": error.message}
            found = httpx.Response(error.status, json=said)
        if self.after is not None:
            self.after(request, found)
        return found

    def _route(self, request: httpx.Request) -> httpx.Response:
        user = self._user(request)
        raw = request.url.raw_path.split(b"?")[0].decode()
        parts = [unquote(part) for part in raw.strip("/").split("/")]
        params = dict(request.url.params.multi_items())
        if parts == ["api", "records"] and request.method == "GET":
            found = self._search(params, lambda one: one.submitted)
            total = len(found)
            page, size = int(params.get("page", "1")), int(params.get("size", "10"))
            hits = [self._record(one) for one in found[(page - 1) * size : page * size]]
            return httpx.Response(200, json={"hits": {"hits": hits, "total": total}, "links": {}})
        if parts[:3] == ["api", "deposit", "depositions"]:
            if user is None:
                raise _Refused(401, "The server could not verify that you are authorized.")
            return self._deposit(request, user, parts[3:], params)
        if params:
            raise _Refused(400, f"unknown parameters {sorted(params)}")
        if len(parts) == 3 and parts[:2] == ["api", "records"] and request.method == "GET":
            one = self.depositions.get(int(parts[2]) if parts[2].isdecimal() else 0)
            if one is None or not one.submitted:
                raise _Refused(404, "PID does not exist.")
            return httpx.Response(200, json=self._record(one))
        if len(parts) == 4 and parts[:2] == ["api", "files"]:
            return self._bucket(request, user, parts[2], parts[3])
        raise _Refused(404, "The requested URL was not found on the server.")

    def _user(self, request: httpx.Request) -> str | None:
        said = request.headers.get("authorization")
        if said is None:
            return None
        token = re.fullmatch(r"Bearer (\S+)", said)
        if token is None or token[1] not in self.tokens:
            raise _Refused(401, "The server could not verify that you are authorized.")
        return self.tokens[token[1]]

    def _search(
        self, params: Mapping[str, str], among: Callable[[Deposition], bool]
    ) -> list[Deposition]:
        if unknown := set(params) - {"q", "page", "size", "sort", "communities", "status"}:
            raise _Refused(400, f"unknown parameters {sorted(unknown)}")
        if params.get("sort", "mostrecent") not in ("mostrecent", "bestmatch"):
            raise _Refused(400, "Invalid sort option.")
        if int(params.get("size", "10")) > 100:
            raise _Refused(400, "Page size cannot be larger than 100.")
        try:
            holds = compiled(params["q"], FIELDS) if params.get("q") else lambda _: True
        except SearchError as error:
            raise _Refused(400, f"The syntax of the search query is invalid: {error}") from error
        community = params.get("communities")
        found = [
            one
            for one in (self._index if self.late else self.depositions).values()
            if among(one) and holds(_indexed(one))
            if community is None or {"identifier": community} in one.metadata.get("communities", ())
        ]
        return sorted(found, key=lambda one: (one.created, one.id), reverse=True)

    def _deposit(
        self, request: httpx.Request, user: str, rest: list[str], params: dict[str, str]
    ) -> httpx.Response:
        method = request.method
        if not rest and method == "GET":
            found = self._search(params, lambda one: one.owner == user)
            page, size = int(params.get("page", "1")), int(params.get("size", "10"))
            shown = found[(page - 1) * size : page * size]
            return httpx.Response(200, json=[self._deposition(one) for one in shown])
        if not rest and method == "POST":
            said = json.loads(request.content)
            if set(said) - {"metadata"}:
                raise _Refused(400, "unknown fields")
            number = next(self._numbers)
            one = Deposition(number, user, _checked(said.get("metadata", {})), datetime.now(UTC))
            self.depositions[number] = one
            return httpx.Response(201, json=self._deposition(one))
        found_one = self.depositions.get(int(rest[0]) if rest[0].isdecimal() else 0)
        if found_one is None:
            raise _Refused(404, "PID does not exist.")
        if found_one.owner != user:
            raise _Refused(403, "Permission denied.")
        if (method, rest[1:]) == ("GET", []):
            return httpx.Response(200, json=self._deposition(found_one))
        if found_one.submitted:
            raise _Refused(403, "Deposition is published.")
        if (method, rest[1:]) == ("DELETE", []):
            del self.depositions[found_one.id]
            return httpx.Response(204)
        if (method, rest[1:]) == ("POST", ["actions", "publish"]):
            missing = [name for name in _REQUIRED if not found_one.metadata.get(name)]
            if missing or not found_one.files:
                raise _Refused(400, f"Validation error: {missing or 'no files'}")
            found_one.submitted = True
            return httpx.Response(202, json=self._deposition(found_one))
        raise _Refused(405, "The method is not allowed for the requested URL.")

    def _bucket(
        self, request: httpx.Request, user: str | None, bucket: str, key: str
    ) -> httpx.Response:
        one = self.depositions.get(int(bucket.removeprefix("bucket-")))
        if one is None:
            raise _Refused(404, "No such bucket.")
        own = user == one.owner
        if request.method == "GET":
            free = one.submitted and one.metadata["access_right"] == "open"
            if key not in one.files or not (own or free):
                raise _Refused(404, "No such file.")
            return httpx.Response(200, content=one.files[key])
        if not own or one.submitted:
            raise _Refused(403, "Permission denied.")
        if request.method == "DELETE":
            one.files.pop(key, None)
            return httpx.Response(204)
        if request.method != "PUT":
            raise _Refused(405, "The method is not allowed for the requested URL.")
        if request.headers.get("content-length") != str(len(request.content)):
            raise _Refused(400, "Content-Length does not fit.")
        one.files[key] = request.content
        said = {"key": key, "size": len(request.content), "checksum": f"md5:{_md5(one.files[key])}"}
        return httpx.Response(201, json=said)

    def _doi(self, one: Deposition) -> str:
        return f"10.5072/zenodo.{one.id}"

    def _deposition(self, one: Deposition) -> dict[str, Any]:
        metadata = {**one.metadata}
        metadata["prereserve_doi"] = {"doi": self._doi(one), "recid": one.id}
        if one.submitted:
            metadata["doi"] = self._doi(one)
        return {
            "id": one.id,
            "record_id": one.id,
            "owner": 7,
            "created": one.created.isoformat(),
            "modified": one.created.isoformat(),
            "state": "done" if one.submitted else "unsubmitted",
            "submitted": one.submitted,
            "title": one.metadata.get("title", ""),
            "metadata": metadata,
            "files": [
                {
                    "id": f"f-{key}",
                    "filename": key,
                    "filesize": len(content),
                    "checksum": _md5(content),
                    "links": {"download": f"{self.url}/api/files/bucket-{one.id}/{key}"},
                }
                for key, content in one.files.items()
            ],
            "links": {"bucket": f"{self.url}/api/files/bucket-{one.id}"},
            **({"doi": self._doi(one)} if one.submitted else {}),
        }

    def _record(self, one: Deposition) -> dict[str, Any]:
        related = one.metadata.get("related_identifiers", ())
        alternate = [r for r in related if r["relation"] == "isAlternateIdentifier"]
        metadata = {
            name: value
            for name, value in one.metadata.items()
            if name not in ("upload_type", "prereserve_doi", "related_identifiers", "license")
        }
        metadata["resource_type"] = {"type": one.metadata["upload_type"], "title": "Dataset"}
        metadata["related_identifiers"] = [r for r in related if r not in alternate]
        metadata["alternate_identifiers"] = [{"identifier": r["identifier"]} for r in alternate]
        if "license" in one.metadata:
            metadata["license"] = {"id": one.metadata["license"]}
        return {
            "id": one.id,
            "doi": self._doi(one),
            "conceptdoi": f"{self._doi(one)}-all",
            "created": one.created.isoformat(),
            "updated": one.created.isoformat(),
            "owners": [7],
            "metadata": metadata,
            "files": [
                {
                    "bucket": f"bucket-{one.id}",
                    "key": key,
                    "size": len(content),
                    "checksum": f"md5:{_md5(content)}",
                    "links": {"self": f"{self.url}/api/files/bucket-{one.id}/{key}"},
                }
                for key, content in one.files.items()
            ],
            "links": {"html": f"{self.url}/record/{one.id}"},
        }


def _checked(metadata: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(metadata) - _METADATA:
        raise _Refused(400, f"Validation error: unknown fields {sorted(unknown)}")
    if metadata.get("access_right") == "embargoed" and "embargo_date" not in metadata:
        raise _Refused(400, "Validation error: embargo_date is missing")
    for one in metadata.get("related_identifiers", ()):
        known = {"identifier", "relation", "resource_type"}
        if set(one) - known or not re.match(r"10\.|https?://|urn:", one["identifier"]):
            raise _Refused(400, f"Validation error: {one}")
    return metadata


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _indexed(one: Deposition) -> dict[str, Any]:
    doi = f"10.5072/zenodo.{one.id}"
    return {"created": one.created, "doi": doi, "conceptdoi": f"{doi}-all", **one.metadata}


def _of(name: str) -> Callable[[Mapping[str, Any]], list[Any]]:
    def values(record: Mapping[str, Any]) -> list[Any]:
        said = record.get(name)
        return said if isinstance(said, list) else [] if said is None else [said]

    return values


def _related(name: str, *, alternate: bool) -> Callable[[Mapping[str, Any]], list[Any]]:
    def values(record: Mapping[str, Any]) -> list[Any]:
        return [
            one[name]
            for one in record.get("related_identifiers", ())
            if (one["relation"] == "isAlternateIdentifier") is alternate
        ]

    return values


FIELDS: dict[str, Field] = {
    "created": Field("date", _of("created")),
    "doi": Field("keyword", _of("doi")),
    "conceptdoi": Field("keyword", _of("conceptdoi")),
    "title": Field("text", _of("title"), default=True),
    "description": Field("text", _of("description"), default=True),
    "notes": Field("text", _of("notes"), default=True),
    "keywords": Field("keyword", _of("keywords"), default=True),
    "resource_type.type": Field("keyword", _of("upload_type")),
    "related.identifier": Field("keyword", _related("identifier", alternate=False)),
    "related.relation": Field("keyword", _related("relation", alternate=False)),
    "alternate.identifier": Field("keyword", _related("identifier", alternate=True)),
}
