"""Whose rights the page's routes answer with, and how they say no."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.scopes import has_scope, parse_scopes
from tornado import web

from nearfield.config import parse_config
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
    QuerySyntaxError,
    SchedulerUnavailableError,
    UsageError,
)
from nearfield_spawners.hub_api.handler import PageHandler, RefusedError


class Bare(PageHandler):
    """Without a hub around it: keeps what it would send."""

    def __init__(self) -> None:
        self.status, self.headers, self.sent = 500, {}, ""

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        self.status = status_code

    def set_header(self, name: str, value: Any) -> None:
        self.headers[name] = value

    def finish(self, chunk: Any = None) -> Any:
        self.sent = chunk


def said(error: BaseException, status: int = 500) -> tuple[int, dict[str, Any]]:
    handler = Bare()
    handler.write_error(status, exc_info=(type(error), error, None))
    body = json.loads(handler.sent)
    assert handler.headers["Content-Type"] == "application/json"
    assert set(body) == {"status", "message", "hint"}
    return (handler.status if isinstance(error, NearfieldError) else status), body


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("m", hint="h"), 400),
        (DatasetNotPermittedError("m", hint="h"), 403),
        (DatasetNotFoundError("m", hint="h"), 404),
        (CatalogueUnavailableError("m", hint="h"), 503),
        (SchedulerUnavailableError("m", hint="h"), 503),
        (BlockedError("m", hint="h"), 500),
    ],
)
def test_our_own_errors_have_their_status_message_and_hint(
    error: NearfieldError, status: int
) -> None:
    found, body = said(error)
    assert (found, body) == (status, {"status": status, "message": "m", "hint": "h"})


def test_other_errors_tell_no_more_than_they_should() -> None:
    assert said(RefusedError(413, "too long 100 %"), 413)[1]["message"] == "too long 100 %"
    missing = web.HTTPError(403, "'_xsrf' argument missing from POST")
    assert said(missing, 403)[1]["message"] == "'_xsrf' argument missing from POST"
    crash = said(RuntimeError("s3cret at /home/alice"))[1]
    assert crash == {"status": 500, "message": "Internal Server Error", "hint": None}


USERS = {
    name: SimpleNamespace(name=name, spawners={}) for name in ("alice", "bob", "carol", "a!user=b")
}
for _user in USERS.values():
    _user.spawner = SimpleNamespace(
        user=_user, live=SimpleNamespace(config=parse_config("sessions: {}"))
    )


class Asked(Bare):
    """A request of alice's with these scopes, as JupyterHub tells them apart."""

    def __init__(self, user: str | None, scopes: set[str]) -> None:
        super().__init__()
        self.arguments = {} if user is None else {"user": user}
        self.held = parse_scopes(scopes)

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger("page-handler")

    @property
    def current_user(self) -> Any:
        return USERS["alice"]

    def get_query_argument(self, name: str, default: Any = None, strip: bool = True) -> Any:
        return self.arguments.get(name, default)

    def has_scope(self, scope: str) -> bool:
        return bool(has_scope(scope, self.held))

    def find_user(self, name: str) -> Any:
        return USERS.get(name)


CATALOGUE = "access:services!service=catalogue"
START, ENTER = "servers!user=bob", "access:servers!user=bob"
OWN = {"servers!user=alice", "access:servers!user=alice"}
SHARED = {"access:servers!server=bob/", "access:servers!server=bob/x"}


@pytest.mark.parametrize(
    ("user", "catalogue", "scopes"),
    [
        (None, False, {"servers!user=alice"}),
        ("alice", False, {"servers!user=alice"}),
        ("", True, {CATALOGUE}),
        ("alice", True, {CATALOGUE}),
        ("bob", False, {START}),
        ("bob", False, {"servers"}),
        ("bob", True, {START, ENTER, CATALOGUE}),
        ("bob", True, {"servers", "access:servers", "access:services"}),
    ],
)
def test_with_these_scopes_a_route_answers(
    user: str | None, catalogue: bool, scopes: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = Asked(user, scopes).user_spawner(catalogue=catalogue)
    assert found.user.name == (user or "alice")
    # Whoever looks with somebody else's rights is in the log.
    told = "event=looked-for-another user=bob by=alice"
    assert caplog.messages == ([told] if user == "bob" and catalogue else [])


@pytest.mark.parametrize(
    ("user", "catalogue", "scopes", "lacks"),
    [
        (None, False, {START, ENTER, CATALOGUE}, "servers!user=alice"),
        (None, True, {"servers!user=alice"}, CATALOGUE),
        ("bob", False, {"servers!user=alice", CATALOGUE, ENTER}, START),
        # To start a session is not to look with its user's rights.
        ("bob", True, {START, CATALOGUE}, ENTER),
        ("bob", True, {"servers", "admin:users", "access:services"}, ENTER),
        # Nor is a server that bob shares with alice.
        ("bob", True, {START, CATALOGUE, *SHARED}, ENTER),
        ("bob", True, {ENTER, CATALOGUE}, START),
        ("bob", True, {START, ENTER}, CATALOGUE),
        ("bob", True, {*OWN, CATALOGUE}, START),
        ("carol", True, {START, ENTER, CATALOGUE}, "servers!user=carol"),
        ("a!user=b", False, {START, ENTER, "servers!user=b"}, "servers!user=a!user=b"),
    ],
)  # fmt: skip
def test_nobody_looks_with_the_rights_of_another_without_the_scopes(
    user: str | None, catalogue: bool, scopes: set[str], lacks: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        Asked(user, scopes).user_spawner(catalogue=catalogue)
    assert refused.value.status_code == 403
    assert f"the scope {lacks}" in refused.value.message
    if lacks == ENTER:
        assert "by PID" in str(refused.value.hint)


def test_who_is_not_there_is_told_only_to_who_may_start_servers() -> None:
    with pytest.raises(RefusedError) as refused:
        Asked("nobody", {"servers"}).user_spawner()
    assert refused.value.status_code == 404
    with pytest.raises(RefusedError) as refused:
        Asked("nobody", {START}).user_spawner()
    assert refused.value.status_code == 403


def test_a_search_that_is_not_understood_names_the_character() -> None:
    handler = Bare()
    error = QuerySyntaxError("unknown field 'x'", "film x:y", 5, hint="h")
    handler.write_error(500, exc_info=(type(error), error, None))
    assert json.loads(handler.sent) == {
        "status": 400,
        "message": "unknown field 'x'",
        "hint": "h",
        "reason": "syntax",
        "position": 5,
    }
