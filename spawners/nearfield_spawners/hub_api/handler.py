"""Who may ask, and how every answer looks.

A route answers with the rights of the person who asks: a cookie (with XSRF) has all rights of its
user, a token those of its scopes. Who starts a session for somebody else (``?user=NAME``) is
answered with the rights of that user, where the asker's scopes already give as much.
"""

from __future__ import annotations

import json
from http.client import responses
from typing import Any

from jupyterhub import orm
from jupyterhub.apihandlers import APIHandler
from pydantic import BaseModel
from tornado import web

from nearfield.errors import NearfieldError, QuerySyntaxError
from nearfield_spawners.logs import event
from nearfield_spawners.refusal import status_of
from nearfield_spawners.user_tokens import service_scope

MAX_BODY = 64 * 1024


class RefusedError(web.HTTPError):
    """An answer that is not a success: what, and what to do."""

    def __init__(self, status: int, message: str, hint: str | None = None) -> None:
        super().__init__(status, "%s", message)
        self.message, self.hint = message, hint


def _lacks(scope: str, other: str | None) -> RefusedError:
    """What to say to whom lacks a scope for themselves, or for ``other``."""
    if other is None:
        hint = "make a token with it at /hub/token"
        return RefusedError(403, f"this token lacks the scope {scope}", hint)
    if scope.startswith("access:servers!"):
        return RefusedError(
            403,
            f"looking with the rights of {other} takes the scope {scope}, which you lack",
            f"name datasets by PID: they are checked with the rights of {other} at the start",
        )
    return RefusedError(403, f"answering for {other} takes the scope {scope}, which you lack")


class PageHandler(APIHandler):  # type: ignore[misc]
    """What all routes share."""

    def user_spawner(self, *, catalogue: bool = False) -> Any:
        """The default spawner of who is asked for, with configuration, groups and schedulers.

        That is the asking person; with ``?user=NAME`` somebody whose servers the asker may start.
        ``catalogue``: for answers from the catalogue, with the rights of that user. For somebody
        else's these take the scopes to start their server and to enter it, with which everything
        of theirs could be read anyway; less never lends anybody's rights.

        Raises:
            RefusedError: nobody, a service, a token without the scopes, or no such user.
        """
        asker = self._asker()
        name = self.get_query_argument("user", "") or asker.name
        own = name == asker.name
        needed = [] if own and catalogue else [f"servers!user={name}"]
        if catalogue:
            needed.append(service_scope(asker.spawner.live.config))
            if not own:
                needed.append(f"access:servers!user={name}")
        for scope in needed:
            if not self.has_scope(scope):
                raise _lacks(scope, None if own else name)
        user = asker if own else self.find_user(name)
        if user is None:
            raise RefusedError(404, f"no user {name!r}")
        if catalogue and not own:
            event(self.log, "looked-for-another", user=name, by=asker.name)
        return user.spawner

    def _asker(self) -> Any:
        user = self.current_user
        if user is None:
            raise RefusedError(403, "nobody is logged in", "log in, or send a token of yours")
        if isinstance(user, orm.Service) or not hasattr(user, "spawners"):
            raise RefusedError(
                403,
                "this token belongs to a service, not to a user",
                "these routes answer with a user's rights: ask with a token of that user",
            )
        if not hasattr(user.spawner, "live"):
            raise RefusedError(404, "this hub does not start sessions with Nearfield")
        return user

    def body(self) -> Any:
        """The request's body. Raises RefusedError unless it is short and JSON."""
        if len(self.request.body) > MAX_BODY:
            raise RefusedError(413, f"the body is longer than {MAX_BODY} bytes")
        try:
            return json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise RefusedError(400, "the body is not JSON") from None

    def answer(self, said: BaseModel) -> None:
        # One user's view: no cache on the way may keep it.
        self.set_header("Cache-Control", "no-store")
        self.finish(said.model_dump_json())

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # A refusal is an answer, not a failure of the hub.
        if not isinstance(value, NearfieldError):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None))[1]
        hint = None
        more: dict[str, Any] = {}
        message = responses.get(status_code, "Unknown Error")
        if isinstance(error, NearfieldError):
            status_code = status_of(error)
            self.set_status(status_code)
            message, hint = error.message, error.hint
            if isinstance(error, QuerySyntaxError):
                more = {"reason": "syntax", "position": error.position}
        elif isinstance(error, RefusedError):
            message, hint = error.message, error.hint
        elif isinstance(error, web.HTTPError) and status_code < 500:
            message = error.get_message() or message
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps({"status": status_code, "message": message, "hint": hint, **more}))
