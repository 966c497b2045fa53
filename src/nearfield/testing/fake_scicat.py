"""A SciCat backend in memory, for tests: users with groups, rights, v3 and v4, and its quirks.

::

    scicat = FakeSciCat([FakeUser("alice", groups=["chemists"])])
    scicat.add({"pid": "20.500/1", "ownerGroup": "chemists", …})
    client = httpx.AsyncClient(transport=scicat.transport())

An ASGI application, so that it can be served on a port too. It takes what a real one takes:
inputs that do not exist, the same files twice, any text as a PID. What it answers fits the
published OpenAPI document; tests hold it to that with :mod:`.openapi_transport`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx

from nearfield.testing.fake_scicat_records import Record, in_utc, shown, stamps, stored

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class FakeUser:
    """An account. ``names_pids``: of a group that may name the PIDs of its datasets."""

    name: str
    groups: Sequence[str] = ()
    password: str = "secret"  # noqa: S105
    admin: bool = False
    creates: bool = True
    names_pids: bool = True
    deletes: bool = False

    @property
    def email(self) -> str:
        return f"{self.name}@facility.example"


@dataclass
class Request:
    """One request, read."""

    method: str
    segments: tuple[str, ...]
    params: list[tuple[str, str]]
    body: Any
    user: FakeUser | None

    def param(self, name: str) -> str | None:
        return next((value for key, value in self.params if key == name), None)

    def json(self, name: str) -> Any:
        return json.loads(self.param(name) or "{}")


class AnswerError(Exception):
    """An answer that is no success, as NestJS words it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class FakeSciCat:
    """The whole backend; ``transport()`` leads to it."""

    users: Iterable[FakeUser] = ()
    v4: bool = True
    """False: an older backend, which knows no v4."""
    computes: bool = True
    """False: a backend that refuses ``$expr`` in filters."""
    pid_prefix: str = "20.500.12345"
    seconds: int = 3600
    """How long a token counts."""
    exchanges: bool = True
    """False: an older backend, without ``/auth/oidc/token``."""
    datasets: dict[str, Record] = field(default_factory=dict)
    blocks: list[Record] = field(default_factory=list)
    pictures: list[Record] = field(default_factory=list)
    instruments: list[Record] = field(default_factory=list)
    published: list[Record] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """What was asked for: method and path."""
    tokens: dict[str, str] = field(default_factory=dict)
    before: Callable[[Request], Awaitable[None]] | None = None
    """Called before each request; may raise :class:`AnswerError`."""
    after: Callable[[Request], Awaitable[None]] | None = None
    """Called after the work and before the answer; may raise, as a connection that breaks."""

    def __post_init__(self) -> None:
        self.accounts = {user.name: user for user in self.users}
        for name in self.accounts:
            self.tokens[f"token-of-{name}"] = name
        self.logins = 0

    def transport(self) -> httpx.AsyncBaseTransport:
        """For clients in the same process."""
        return httpx.ASGITransport(self, raise_app_exceptions=True)

    def add(self, body: Record, *, by: str = "ingestor") -> Record:
        """A dataset as an ingestor makes it, without a look at rights."""
        now = datetime.now(UTC)
        record = stored(body, user=by, version="v4", pid_prefix=self.pid_prefix, now=now)
        self.datasets[record["pid"]] = record
        return record

    def add_files(self, pid: str, body: Record, *, by: str = "ingestor") -> None:
        """A list of files of a dataset; the dataset's size is what its lists add up to."""
        record = self.datasets[pid]
        files = [
            {**one, "time": in_utc(one["time"]) if isinstance(one.get("time"), str) else None}
            for one in body["dataFileList"]
        ]
        rights = {key: record.get(key) for key in ("ownerGroup", "accessGroups", "isPublished")}
        self.blocks.append(
            {
                **{key: value for key, value in body.items() if value is not None},
                **rights,
                "dataFileList": files,
                "_id": f"{len(self.blocks):024x}",
                "datasetId": pid,
                **stamps(by, datetime.now(UTC)),
                "version": "v4",
            }
        )
        mine = [block for block in self.blocks if block["datasetId"] == pid]
        record["size"] = sum(block["size"] for block in mine)
        record["numberOfFiles"] = sum(len(block["dataFileList"]) for block in mine)

    def add_instrument(self, pid: str, name: str) -> None:
        stamped = stamps("ingestor", datetime.now(UTC))
        self.instruments.append(
            {"pid": pid, "uniqueName": pid, "name": name, "customMetadata": {}, **stamped}
        )

    def add_picture(self, pid: str, thumbnail: str) -> None:
        """A picture of a dataset, as a ``data:`` URL."""
        record = self.datasets[pid]
        rights = {key: record[key] for key in ("ownerGroup", "accessGroups", "isPublished")}
        link = {"targetId": pid, "targetType": "dataset", "relationType": "is attached to"}
        self.pictures.append(
            {
                **rights,
                "aid": f"picture-{len(self.pictures)}",
                "thumbnail": thumbnail,
                "caption": "a picture",
                "relationships": [link],
                **stamps("ingestor", datetime.now(UTC)),
            }
        )

    def publish(self, doi: str, pids: list[str], status: str = "registered") -> None:
        """Published data of some datasets."""
        self.published.append(
            {
                "doi": doi,
                "title": "published",
                "abstract": "data",
                "datasetPids": pids,
                "status": status,
                "metadata": {},
                **stamps("ingestor", datetime.now(UTC)),
            }
        )

    def expire(self) -> None:
        """No token counts any longer."""
        self.tokens.clear()

    def log_in(self, user: FakeUser) -> str:
        """A new token."""
        self.logins += 1
        token = f"token-{self.logins}-of-{user.name}"
        self.tokens[token] = user.name
        return token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("ascii")
        self.requests.append((scope["method"], path))
        content = await _content(receive)
        try:
            status, answer = await self._answer(scope, path, content)
        except AnswerError as error:
            status = error.status
            answer = {"message": error.message, "error": "Error", "statusCode": error.status}
        body = b"" if answer is None else json.dumps(shown(answer)).encode()
        headers = [(b"content-type", b"application/json; charset=utf-8")] if body else []
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, path: str, content: bytes) -> tuple[int, Any]:
        from nearfield.testing.fake_scicat_routes import handler_of

        segments = tuple(unquote(part) for part in path.strip("/").split("/"))
        user = self._user(scope)
        try:
            body = json.loads(content) if content else None
        except ValueError:
            raise AnswerError(400, "Unexpected token in JSON") from None
        query = parse_qsl(scope.get("query_string", b"").decode(), keep_blank_values=True)
        request = Request(scope["method"], segments, query, body, user)
        if self.before is not None:
            await self.before(request)
        handler, values = handler_of(self, request)
        status, answer = handler(self, request, *values)
        if self.after is not None:
            await self.after(request)
        return status, answer

    def _user(self, scope: Scope) -> FakeUser | None:
        headers = dict(scope["headers"])
        kind, _, token = headers.get(b"authorization", b"").decode().partition(" ")
        # A token that does not count is no token: nothing is answered 401.
        if kind != "Bearer" or token not in self.tokens:
            return None
        return self.accounts[self.tokens[token]]


async def _content(receive: Receive) -> bytes:
    found = b""
    while True:
        message = await receive()
        found += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return found
