"""How a job speaks to the hub: ``POST /hub/api/nearfield/port`` and ``…/stage``.

The bodies are ``{"port": N}`` and ``{"stage": WORD}``, one of three words, and nothing else. The
caller proves itself with the token of exactly the server that is being started, held against a
digest saved with the spawner's state, so that it also works after a restart of the hub. Address
and everything else come from the scheduler.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from jupyterhub.apihandlers import APIHandler, default_handlers
from tornado import web

from nearfield_spawners.ports import valid_port
from nearfield_spawners.stages import OF_THE_NODE, StageName

ROUTE = "/api/nearfield/port"
STAGE_ROUTE = "/api/nearfield/stage"


def token_digest(token: str) -> str:
    """What is kept of a server's token to recognise it again."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse_port(body: bytes) -> int:
    """The port of a report. Raises ValueError for anything but ``{"port": 1024..65535}``."""
    data = json.loads(body)
    if not isinstance(data, dict) or set(data) != {"port"}:
        raise ValueError("the body must be {'port': N} and nothing else")
    return valid_port(data["port"])


def parse_stage(body: bytes) -> StageName:
    """The stage of a report. Raises ValueError for anything but ``{"stage": WORD}``."""
    data = json.loads(body)
    if not isinstance(data, dict) or set(data) != {"stage"}:
        raise ValueError("the body must be {'stage': WORD} and nothing else")
    if data["stage"] not in [name.value for name in OF_THE_NODE]:
        raise ValueError(f"stage must be one of {', '.join(OF_THE_NODE)}")
    return StageName(data["stage"])


class _JobHandler(APIHandler):  # type: ignore[misc]
    """A word from a starting server."""

    def _body(self) -> bytes:
        if len(self.request.body) > 200:
            raise web.HTTPError(413, "too long")
        body: bytes = self.request.body
        return body

    def _done(self) -> None:
        self.set_status(204)
        self.finish()

    def _spawner(self) -> Any:
        user = self.current_user
        # A service has no spawners; a cookie is not a server's token.
        if user is None or not hasattr(user, "spawners") or not self._token_authenticated:
            raise web.HTTPError(403, "this needs the token of the server that is starting")
        digest = token_digest(self.get_auth_token() or "")
        for name in user.orm_user.orm_spawners:
            spawner = user.spawners[name]
            expected = getattr(spawner, "callback_digest", "")
            if expected and hmac.compare_digest(expected, digest):
                return spawner
        raise web.HTTPError(403, "this needs the token of the server that is starting")


class PortHandler(_JobHandler):
    """Takes the port report of a starting server."""

    def post(self) -> None:
        spawner = self._spawner()
        try:
            port = parse_port(self._body())
        except ValueError as error:
            raise web.HTTPError(400, str(error)) from None
        if not spawner.accept_port(port):
            raise web.HTTPError(409, "this server is not waiting for a port")
        self._done()


class StageHandler(_JobHandler):
    """Takes the node's word about how far a start has come."""

    def post(self) -> None:
        spawner = self._spawner()
        try:
            stage = parse_stage(self._body())
        except ValueError as error:
            raise web.HTTPError(400, str(error)) from None
        if not spawner.accept_stage(stage):
            raise web.HTTPError(409, "this server is not starting")
        self._done()


default_handlers.append((ROUTE, PortHandler))
default_handlers.append((STAGE_ROUTE, StageHandler))
