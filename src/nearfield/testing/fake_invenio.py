"""An InvenioRDM in memory, held to its REST interface.

Records, drafts, files and searches as
https://inveniordm.docs.cern.ch/reference/rest_api_drafts_records/ and …/reference/metadata/ have
them. Stricter than that: a parameter or a field that they do not name is an error, where a real one
ignores some.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import httpx

from nearfield.testing.fake_invenio_records import FIELDS, checked, problems, shown
from nearfield.testing.fake_invenio_search import SearchError, compiled

MAX_SIZE = {True: 100, False: 25}
WINDOW = 10_000
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass
class Refused(Exception):
    """An answer that is no success."""

    status: int
    message: str
    errors: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Stored:
    """A record, or a draft that was never published."""

    id: str
    owner: str
    access: dict[str, Any]
    metadata: dict[str, Any]
    created: datetime
    published: bool = False
    doi: str | None = None
    readers: set[str] = field(default_factory=set)
    """Who has a grant to view it."""
    communities: set[str] = field(default_factory=set)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By key: ``content`` (``None`` until it is sent), ``status``, ``updated``."""
    thumbnails: bool = False


@dataclass
class FakeInvenio:
    """Users by their tokens; ``late``: searches see what there was at the last :meth:`refresh`."""

    url: str = "http://invenio.test"
    tokens: dict[str, str] = field(default_factory=dict)
    admins: set[str] = field(default_factory=set)
    may_not_deposit: set[str] = field(default_factory=set)
    records: dict[str, Stored] = field(default_factory=dict)
    late: bool = False
    after: Callable[[httpx.Request, httpx.Response], None] | None = None
    """Called when a request was carried out, before its answer: a test may break off there."""
    requests: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._index: dict[str, Stored] = {}

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """For a driver."""
        return httpx.MockTransport(self.answer)

    def refresh(self) -> None:
        """The index has caught up."""
        self._index = copy.deepcopy(self.records)

    def put(self, owner: str, metadata: dict[str, Any], **fields: Any) -> Stored:
        """A published record."""
        number = self._new_id()
        record = Stored(
            number,
            owner,
            fields.pop("access", {"record": "public", "files": "public"}),
            checked(metadata),
            fields.pop("created", datetime.now(UTC)),
            published=True,
            doi=f"10.5072/{number}",
            **fields,
        )
        self.records[number] = record
        return record

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the server says to one request."""
        self.requests.append(request)
        try:
            found = self._route(request)
        except Refused as error:
            said: dict[str, Any] = {"status": error.status, "message": error.message}
            if error.errors:
                said["errors"] = error.errors
            found = httpx.Response(error.status, json=said)
        if self.after is not None:
            self.after(request, found)
        return found

    def _route(self, request: httpx.Request) -> httpx.Response:
        user = self._user(request)
        raw = request.url.raw_path.split(b"?")[0].decode()
        parts = [unquote(part) for part in raw.strip("/").split("/")]
        params = dict(request.url.params.multi_items())
        if parts[:1] == ["api"] and request.method == "GET":
            if parts == ["api", "records"]:
                return self._search(user, params, lambda one: one.published)
            if parts == ["api", "user", "records"]:
                if user is None:
                    raise Refused(403, "Permission denied.")
                return self._search(user, params, lambda one: one.owner == user)
            if len(parts) == 4 and (parts[1], parts[3]) == ("communities", "records"):
                name = parts[2]
                return self._search(
                    user, params, lambda one: one.published and name in one.communities
                )
        if params:
            raise Refused(400, f"unknown parameters {sorted(params)}")
        if parts[:2] == ["api", "iiif"] and request.method == "GET":
            return httpx.Response(200, content=b"\x89PNG", headers={"content-type": "image/png"})
        if parts == ["api", "records"] and request.method == "POST":
            return self._create(user, _json(request))
        if parts[:2] == ["api", "records"] and len(parts) >= 3:
            if parts[3:4] == ["draft"]:
                return self._draft(request, self._own(user, parts[2]), parts[4:])
            if request.method == "GET":
                return self._record(user, parts[2], parts[3:])
        raise Refused(404, "The requested URL was not found on the server.")

    def _user(self, request: httpx.Request) -> str | None:
        said = request.headers.get("authorization")
        if said is None:
            return None
        token = re.fullmatch(r"Bearer (\S+)", said)
        if token is None or token[1] not in self.tokens:
            raise Refused(401, "The server could not verify that you are authorized.")
        return self.tokens[token[1]]

    def _sees(self, user: str | None, record: Stored, *, files: bool = False) -> bool:
        if user is not None and (user == record.owner or user in self.admins | record.readers):
            return True
        return record.published and record.access["files" if files else "record"] == "public"

    def _search(
        self, user: str | None, params: dict[str, str], among: Callable[[Stored], bool]
    ) -> httpx.Response:
        if unknown := set(params) - {"q", "page", "size", "sort"}:
            raise Refused(400, f"unknown parameters {sorted(unknown)}")
        page, size = int(params.get("page", "1")), int(params.get("size", "10"))
        if page < 1 or not 1 <= size <= MAX_SIZE[user is not None] or page * size > WINDOW:
            raise Refused(400, "A validation error occurred.")
        if params.get("sort", "newest") not in ("newest", "oldest", "bestmatch"):
            raise Refused(400, "Invalid sort option.")
        try:
            holds = compiled(params["q"], FIELDS) if params.get("q") else lambda _: True
        except SearchError as error:
            raise Refused(400, f"The syntax of the search query is invalid: {error}") from error
        found = [
            (one, said)
            for one in (self._index if self.late else self.records).values()
            if among(one) and self._sees(user, one)
            if holds(said := shown(one, self.url, self._sees(user, one, files=True)))
        ]
        found.sort(key=lambda pair: (pair[0].created, pair[0].id), reverse=True)
        if params.get("sort") == "oldest":
            found.reverse()
        hits = [said for _, said in found[(page - 1) * size : page * size]]
        return httpx.Response(
            200,
            json={
                "hits": {"hits": hits, "total": len(found)},
                "aggregations": {},
                "sortBy": params.get("sort", "newest"),
                "links": {"self": str(self.url)},
            },
        )

    def _record(self, user: str | None, number: str, rest: list[str]) -> httpx.Response:
        record = self.records.get(number)
        if record is None or not record.published:
            raise Refused(404, "The persistent identifier does not exist.")
        if not self._sees(user, record):
            raise Refused(403, "Permission denied.")
        if not rest:
            return httpx.Response(
                200, json=shown(record, self.url, self._sees(user, record, files=True))
            )
        if not self._sees(user, record, files=True):
            raise Refused(403, "Permission denied.")
        return self._read_files(record, rest)

    def _read_files(self, record: Stored, rest: list[str]) -> httpx.Response:
        if rest == ["files"]:
            entries = [self._entry(record, key) for key in record.files]
            return httpx.Response(
                200,
                json={"enabled": True, "default_preview": None, "order": [], "entries": entries},
            )
        if len(rest) == 3 and rest[0] == "files" and rest[2] == "content":
            content = record.files.get(rest[1], {}).get("content")
            if content is not None:
                return httpx.Response(200, content=content)
        raise Refused(404, f"Record '{record.id}' has no such file.")

    def _entry(self, record: Stored, key: str) -> dict[str, Any]:
        file = record.files[key]
        said = {"key": key, "status": file["status"], "updated": file["updated"].isoformat()}
        if file["status"] == "completed":
            digest = hashlib.md5(file["content"], usedforsecurity=False).hexdigest()
            size = file.get("size", len(file["content"]))
            said |= {"checksum": f"md5:{digest}", "size": size}
        return {**said, "metadata": None, "links": {}}

    def _create(self, user: str | None, said: Any) -> httpx.Response:
        if user is None or user in self.may_not_deposit:
            raise Refused(403, "Permission denied.")
        if unknown := set(said) - {"access", "files", "metadata", "custom_fields", "pids"}:
            raise Refused(400, f"Unknown field {sorted(unknown)}")
        if said.get("files") != {"enabled": True}:
            raise Refused(400, "files.enabled: Missing data for required field.")
        access = dict(said["access"])
        record = Stored(
            self._new_id(),
            user,
            access,
            checked(said["metadata"]),
            datetime.now(UTC),
        )
        self.records[record.id] = record
        # Kept, but not as it is; that a draft has no files yet is told in the same place.
        missing = {"field": "files.enabled", "messages": ["Missing uploaded files."]}
        errors = [*problems(record.metadata), missing]
        return httpx.Response(201, json={**shown(record, self.url, True), "errors": errors})

    def _own(self, user: str | None, number: str) -> Stored:
        record = self.records.get(number)
        if record is None:
            raise Refused(404, "The persistent identifier does not exist.")
        if user is None or (user != record.owner and user not in self.admins):
            raise Refused(403, "Permission denied.")
        if record.published:
            raise Refused(404, "The draft does not exist.")
        return record

    def _draft(self, request: httpx.Request, record: Stored, rest: list[str]) -> httpx.Response:
        method = request.method
        if (method, rest) == ("GET", []):
            return httpx.Response(200, json=shown(record, self.url, True))
        if (method, rest) == ("DELETE", []):
            del self.records[record.id]
            return httpx.Response(204)
        if (method, rest) == ("POST", ["pids", "doi"]):
            if record.doi is not None:
                problem = {"field": "pids.doi", "messages": ["A PID already exists for type doi"]}
                raise Refused(400, "A validation error occurred.", [problem])
            record.doi = f"10.5072/{record.id}"
            return httpx.Response(201, json=shown(record, self.url, True))
        if (method, rest) == ("POST", ["actions", "publish"]):
            return self._publish(record)
        if method == "GET" and rest[:1] == ["files"]:
            return self._read_files(record, rest)
        return self._write_files(request, record, rest)

    def _publish(self, record: Stored) -> httpx.Response:
        if wrong := problems(record.metadata):
            raise Refused(400, "A validation error occurred.", wrong)
        if not record.files or any(f["status"] != "completed" for f in record.files.values()):
            raise Refused(400, "One or more files have not completed their transfer.")
        record.published = True
        record.doi = record.doi or f"10.5072/{record.id}"
        return httpx.Response(202, json=shown(record, self.url, True))

    def _write_files(
        self, request: httpx.Request, record: Stored, rest: list[str]
    ) -> httpx.Response:
        method, now = request.method, datetime.now(UTC)
        if (method, rest) == ("POST", ["files"]):
            for one in _json(request):
                if set(one) != {"key"} or one["key"] in record.files or "/" in one["key"]:
                    raise Refused(400, f"File with key {one} already exists or is malformed.")
                record.files[one["key"]] = {"content": None, "status": "pending", "updated": now}
            entries = [self._entry(record, key) for key in record.files]
            return httpx.Response(201, json={"enabled": True, "entries": entries, "order": []})
        if len(rest) < 2 or rest[0] != "files" or rest[1] not in record.files:
            raise Refused(404, "No such file.")
        key, file = rest[1], record.files[rest[1]]
        if (method, rest[2:]) == ("DELETE", []):
            del record.files[key]
            return httpx.Response(204)
        if (method, rest[2:]) == ("PUT", ["content"]):
            if file["status"] != "pending":
                raise Refused(400, "The file transfer is completed.")
            if request.headers.get("content-type") != "application/octet-stream":
                raise Refused(415, "Unsupported media type.")
            if request.headers.get("content-length") != str(len(request.content)):
                raise Refused(400, "Content-Length does not fit.")
            file.update(content=request.content, updated=now)
            return httpx.Response(200, json=self._entry(record, key))
        if (method, rest[2:]) == ("POST", ["commit"]):
            if file["content"] is None:
                raise Refused(400, "File has no content.")
            file["status"] = "completed"
            return httpx.Response(200, json=self._entry(record, key))
        raise Refused(405, "The method is not allowed for the requested URL.")

    def _new_id(self) -> str:
        """As Invenio's: Crockford's letters, the last two a checksum."""
        digest = hashlib.sha256(str(next(self._numbers)).encode()).digest()
        said = "".join(LETTERS[byte % 32] for byte in digest[:10])
        return f"{said[:5]}-{said[5:]}"


def _json(request: httpx.Request) -> Any:
    if request.headers.get("content-type") != "application/json":
        raise Refused(415, "Unsupported media type.")
    return json.loads(request.content)
