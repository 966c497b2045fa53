"""Who is given a token: programs with a token of the hub's that may have one, and no browser."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.scopes import parse_scopes
from tornado.httputil import HTTPHeaders

from nearfield.config import parse_config
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    NearfieldError,
    SourceLoginError,
    UnknownNameError,
)
from nearfield_spawners import hub_api
from nearfield_spawners.hub_api import tokens as routes
from nearfield_spawners.hub_api.handler import RefusedError
from nearfield_spawners.hub_api.tokens import (
    BATCH_NOTE,
    SCOPE,
    BatchTokenHandler,
    CatalogueTokenHandler,
    TokenHandler,
)
from nearfield_spawners.hub_settings import roles
from nearfield_spawners.provider_tokens import AccessToken

SECRET = "the-access-token"
HUB = "a-token-of-the-hub"
SERVICE = "access:services!service=catalogue"


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str, *args: Any, **_more: Any) -> None:
        self.lines.append(text % args)

    warning = info


class User:
    name = "alice"
    authenticator: Any = None

    def __init__(self, scopes: set[str]) -> None:
        self.spawners: dict[str, Any] = {}
        self.made: list[dict[str, Any]] = []
        self.scopes = scopes
        live = SimpleNamespace(config=parse_config("sessions: {}"))
        self.spawner = SimpleNamespace(user=self, live=live)

    def new_api_token(self, **said: Any) -> str:
        # JupyterHub's own rule: nothing that the user has not.
        if not set(said["scopes"]) <= self.scopes:
            raise ValueError("more than the user has")
        self.made.append(said)
        return "a-batch-token"


def request(
    kind: Any,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
    scopes: set[str] | None = None,
    by_token: bool = True,
    note: str = "Server at /user/alice/",
    ends: datetime | None = None,
) -> Any:
    """A handler without a hub around it, which keeps what it would send."""
    have = {SCOPE, SERVICE} if scopes is None else scopes
    asked = SimpleNamespace(
        headers=HTTPHeaders({"Authorization": f"Bearer {HUB}"} | (headers or {})),
        body=b"" if body is None else json.dumps(body).encode(),
        query_arguments={},
    )
    made = kind.__new__(kind)
    said: dict[str, Any] = {"status": 200, "headers": {}, "sent": ""}
    log = Log()
    db = SimpleNamespace(delete=lambda row: said.update(deleted=row), commit=lambda: None)
    made.__dict__.update(
        request=asked,
        _jupyterhub_user=User({SCOPE, SERVICE}),
        _token_authenticated=by_token,
        expanded_scopes=have,
        parsed_scopes=parse_scopes(have),
        said=said,
        application=SimpleNamespace(settings={"db": db}),
        get_token=lambda: SimpleNamespace(note=note, expires_at=ends),
        get_query_arguments=lambda _name: [],
        set_status=lambda status, reason=None: said.update(status=status),
        set_header=lambda name, value: said["headers"].update({name: value}),
        finish=lambda chunk=None: said.update(sent=chunk),
    )
    kind.log = log
    kind.current_user = property(lambda self: self._jupyterhub_user)
    return made


@pytest.fixture(autouse=True)
def own_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (CatalogueTokenHandler, BatchTokenHandler):
        monkeypatch.setattr(kind, "log", None, raising=False)
        monkeypatch.setattr(kind, "current_user", None, raising=False)


class Tokens:
    """Stands for the provider."""

    def __init__(self, error: NearfieldError | None = None) -> None:
        self.error, self.asked = error, []  # type: ignore[var-annotated]

    async def token(self, user: Any, config: Any, name: str, *, fresh: bool) -> AccessToken:
        self.asked.append((user.name, name, fresh))
        if self.error:
            raise self.error
        return AccessToken(SECRET, time.time() + 300, time.time())


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Tokens:
    made = Tokens()
    monkeypatch.setattr(routes, "provider_tokens", lambda _authenticator: made)
    return made


def test_they_are_routes_of_the_hub() -> None:
    assert dict(hub_api.TOKEN_ROUTES) == {
        "/nearfield/api/catalogue-token": CatalogueTokenHandler,
        "/nearfield/api/batch-token": BatchTokenHandler,
    }
    assert TokenHandler._accept_cookie_auth is False


async def test_a_session_is_given_its_users_token(provider: Tokens) -> None:
    handler = request(CatalogueTokenHandler, {"catalogue": "scicat"})
    await handler.post()
    said = json.loads(handler.said["sent"])
    assert said["access_token"] == SECRET and 295 <= said["expires_in"] <= 300
    assert handler.said["headers"]["Cache-Control"] == "no-store"
    assert provider.asked == [("alice", "scicat", False)]
    [line] = handler.log.lines
    assert "event=catalogue-token user=alice catalogue=scicat" in line
    assert SECRET not in line and HUB not in line


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"headers": {"Cookie": "_xsrf=1"}}, 403),
        ({"headers": {"Origin": "https://hub.example"}}, 403),
        ({"headers": {"Sec-Fetch-Mode": "cors"}}, 403),
        ({"by_token": False}, 401),
        ({"scopes": {SERVICE, "self", "tokens!user=alice"}}, 403),
    ],
)
async def test_nobody_else_is(provider: Tokens, more: dict[str, Any], status: int) -> None:
    for kind in (CatalogueTokenHandler, BatchTokenHandler):
        handler = request(kind, {"catalogue": "scicat"}, **more)
        with pytest.raises(RefusedError) as found:
            await handler.post() if kind is CatalogueTokenHandler else handler.post()
        assert found.value.status_code == status
    assert provider.asked == []


@pytest.mark.parametrize("body", [{}, {"catalogue": ""}, {"catalogue": "x", "user": "bob"}, [], 1])
async def test_the_body_says_one_catalogue_and_no_user(provider: Tokens, body: Any) -> None:
    with pytest.raises(RefusedError) as found:
        await request(CatalogueTokenHandler, body).post()
    assert found.value.status_code == 400
    assert provider.asked == []


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (SourceLoginError("m", hint="h"), 403, "token-expired"),
        (UnknownNameError("catalogue", "x", ["y"]), 404, "not-found"),
        (CatalogueUnavailableError("m", hint="h"), 503, "unavailable"),
        (BlockedError("m", hint="h"), 409, "blocked"),
    ],
)
async def test_a_refusal_has_a_word_for_programs(
    provider: Tokens, error: NearfieldError, status: int, reason: str
) -> None:
    provider.error = error
    handler = request(CatalogueTokenHandler, {"catalogue": "scicat"})
    with pytest.raises(NearfieldError):
        await handler.post()
    handler.write_error(500, exc_info=(type(error), error, None))
    said = json.loads(handler.said["sent"])
    assert (handler.said["status"], said["status"], said["reason"]) == (status, status, reason)
    assert said["message"] == error.message


def test_a_batch_is_given_no_more_than_it_needs() -> None:
    handler = request(BatchTokenHandler, {"hours": 2, "note": "reduce 2026"})
    handler.post()
    [made] = handler.current_user.made
    assert made == {
        "note": f"{BATCH_NOTE}: reduce 2026",
        "expires_in": 7200,
        "scopes": [SCOPE, SERVICE],
    }
    said = json.loads(handler.said["sent"])
    assert handler.said["status"] == 201
    assert said["token"] == "a-batch-token"
    assert "a-batch-token" not in "".join(handler.log.lines)


@pytest.mark.parametrize("hours", [0, -1, 24 * 30 + 1, "many"])
def test_not_for_ever(hours: Any) -> None:
    with pytest.raises(RefusedError, match="hours"):
        request(BatchTokenHandler, {"hours": hours}).post()


def test_a_batch_makes_no_other_and_revokes_only_itself() -> None:
    with pytest.raises(RefusedError, match="makes no other"):
        request(BatchTokenHandler, {}, note=f"{BATCH_NOTE}: x").post()
    handler = request(BatchTokenHandler, note=BATCH_NOTE)
    handler.delete()
    assert handler.said["status"] == 204
    assert handler.said["deleted"].note == BATCH_NOTE
    with pytest.raises(RefusedError, match="no batch token"):
        request(BatchTokenHandler).delete()


def test_a_token_makes_none_that_may_more_or_lives_longer() -> None:
    handler = request(BatchTokenHandler, {"hours": 1}, scopes={SCOPE})
    with pytest.raises(RefusedError, match=SERVICE):
        handler.post()
    assert handler.current_user.made == []
    # As JupyterHub keeps it: UTC that does not say so.
    soon = (datetime.now(UTC) + timedelta(hours=2)).replace(tzinfo=None)
    with pytest.raises(RefusedError, match="ends before"):
        request(BatchTokenHandler, {"hours": 3}, ends=soon).post()
    handler = request(BatchTokenHandler, {"hours": 1}, ends=soon)
    handler.post()
    assert handler.said["status"] == 201


def test_sessions_and_people_have_the_scope_and_services_do_not() -> None:
    have = {role["name"] for role in roles() if SCOPE in role["scopes"]}
    assert have == {"server", "user"}
