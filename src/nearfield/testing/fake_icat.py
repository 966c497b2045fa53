"""An icat.server in memory, held to its REST interface.

``/icat/version``, ``/icat/session`` and ``/icat/entityManager`` as the REST documentation of
icat.server 6 has them (https://repo.icatproject.org/site/icat/server/6.1.0/miredot/index.html,
``org.icatproject.exposed.ICATRest``). Stricter than that: a parameter that no method has is
refused, and so is all of the query language that :mod:`nearfield.testing.fake_icat_jpql` does not
know.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx

from nearfield.testing.fake_icat_jpql import QueryError
from nearfield.testing.fake_icat_store import IcatStore, Row, TooManyError, WriteError

_STATUS = {
    "BAD_PARAMETER": 400,
    "VALIDATION": 400,
    "OBJECT_ALREADY_EXISTS": 400,
    "INSUFFICIENT_PRIVILEGES": 403,
    "SESSION": 403,
    "NO_SUCH_OBJECT_FOUND": 404,
    "INTERNAL": 500,
}


@dataclass
class _Refused(Exception):
    code: str
    message: str


@dataclass
class FakeIcat:
    """Users with passwords and tokens, groups of users, and rules by investigation.

    An investigation is read by its members and, from its release on, by everybody; who may read
    it may add results to it, unless ``writers`` names those who may.
    """

    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Of the identity provider, to the names of their users."""
    admins: set[str] = field(default_factory=set)
    members: dict[int, set[str]] = field(default_factory=dict)
    """Names of users by the id of an investigation."""
    writers: set[str] | None = None
    zone: tzinfo = UTC
    sessions: dict[str, str] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    """All that were made."""

    def __post_init__(self) -> None:
        self.store = IcatStore(self._may_read, self._may_create, self.zone)

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """For a driver."""
        return httpx.MockTransport(self.answer)

    def expire(self) -> None:
        """All sessions end."""
        self.sessions.clear()

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the server says to one request."""
        self.requests.append(request)
        try:
            return self._route(request)
        except _Refused as error:
            said = {"code": error.code, "message": error.message}
            return httpx.Response(_STATUS[error.code], json=said)

    def _route(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.raw_path.split(b"?")[0].decode())
        params = dict(request.url.params.multi_items())
        if len(params) != len(request.url.params.multi_items()):
            raise _Refused("BAD_PARAMETER", "a parameter is there twice")
        method = (request.method, path if not path.startswith("/icat/session/") else "session/ID")
        if method == ("GET", "/icat/version"):
            self._only(params)
            return httpx.Response(200, json={"version": "6.1.0"})
        if method == ("POST", "/icat/session"):
            self._only(params)
            return httpx.Response(200, json={"sessionId": self._log_in(_form(request, "json"))})
        if method == ("DELETE", "session/ID"):
            self._only(params)
            self._user(path.rpartition("/")[2])
            del self.sessions[path.rpartition("/")[2]]
            return httpx.Response(204)
        if method == ("GET", "/icat/entityManager"):
            self._only(params, "sessionId", "query")
            user = self._user(params["sessionId"])
            try:
                return httpx.Response(200, json=self.store.search(user, params["query"]))
            except QueryError as error:
                raise _Refused("BAD_PARAMETER", str(error)) from error
            except TooManyError as error:
                raise _Refused("VALIDATION", str(error)) from error
        if method == ("POST", "/icat/entityManager"):
            self._only(params)
            form = _form(request, "sessionId", "entities")
            return httpx.Response(200, json=self._write(form))
        if method == ("DELETE", "/icat/entityManager"):
            self._only(params, "sessionId", "entities")
            self._delete(self._user(params["sessionId"]), json.loads(params["entities"]))
            return httpx.Response(204)
        return httpx.Response(404, json={"code": "NO_SUCH_OBJECT_FOUND", "message": path})

    def _only(self, params: dict[str, str], *known: str) -> None:
        if set(params) != set(known):
            raise _Refused("BAD_PARAMETER", f"parameters {sorted(params)}, not {sorted(known)}")

    def _log_in(self, form: dict[str, str]) -> str:
        said = json.loads(form["json"])
        if set(said) != {"plugin", "credentials"}:
            raise _Refused("BAD_PARAMETER", "json needs plugin and credentials")
        given = {key: value for one in said["credentials"] for key, value in one.items()}
        user = self._authenticated(said["plugin"], given)
        number = str(uuid.uuid4())
        self.sessions[number] = user
        return number

    def _authenticated(self, plugin: str, given: dict[str, str]) -> str:
        if plugin == "anon" and not given:
            return "anon/anon"
        if plugin == "db" and set(given) == {"username", "password"}:
            if self.passwords.get(given["username"]) == given["password"]:
                return f"db/{given['username']}"
            raise _Refused("SESSION", "The username and password do not match")
        if plugin == "oidc" and set(given) == {"token"}:
            if given["token"] in self.tokens:
                return f"oidc/{self.tokens[given['token']]}"
            raise _Refused("SESSION", "The token is not valid")
        raise _Refused("SESSION", f"Authenticator mnemonic {plugin} not recognised")

    def _user(self, session: str) -> str:
        if session not in self.sessions:
            raise _Refused("SESSION", "Unable to find user by sessionid: ****")
        return self.sessions[session]

    def _write(self, form: dict[str, str]) -> list[int]:
        user = self._user(form["sessionId"])
        said = json.loads(form["entities"])
        try:
            return self.store.write(user, said if isinstance(said, list) else [said])
        except WriteError as error:
            raise _Refused(error.code, str(error)) from error

    def _delete(self, user: str, said: list[dict[str, Any]]) -> None:
        for entity in said:
            ((kind, fields),) = entity.items()
            row = self.store.tables[kind].get(fields["id"])
            if row is None or set(fields) != {"id"}:
                raise _Refused("NO_SUCH_OBJECT_FOUND", f"{kind} {fields}")
            if row["createId"] != user:
                raise _Refused("INSUFFICIENT_PRIVILEGES", f"DELETE access to this {kind}")
            self.store.remove(kind, fields["id"])

    def _may_read(self, user: str, kind: str, row: Row) -> bool:
        found = self._investigation(kind, row)
        return found is None or self._open_to(user, found)

    def _open_to(self, user: str, investigation: Row) -> bool:
        name = user.partition("/")[2]
        release = investigation.get("releaseDate")
        return (
            name in self.admins
            or name in self.members.get(investigation["id"], ())
            or (release is not None and release <= datetime.now(UTC))
        )

    def _may_create(self, user: str, kind: str, row: Row) -> bool:
        name = user.partition("/")[2]
        if user == "anon/anon" or (self.writers is not None and name not in self.writers):
            return False
        return self._may_read(user, kind, row)

    def _investigation(self, kind: str, row: Row) -> Row | None:
        if kind == "Investigation":
            return row
        if kind == "Dataset":
            found: Row = row["investigation"]
            return found
        if "dataset" in row:
            return self._investigation("Dataset", row["dataset"])
        inside: Row | None = row.get("investigation")
        return inside


def _form(request: httpx.Request, *known: str) -> dict[str, str]:
    if request.headers.get("content-type") != "application/x-www-form-urlencoded":
        raise _Refused("BAD_PARAMETER", "not a form")
    found = dict(parse_qsl(request.content.decode(), strict_parsing=True))
    if set(found) != set(known):
        raise _Refused("BAD_PARAMETER", f"fields {sorted(found)}, not {sorted(known)}")
    return found
