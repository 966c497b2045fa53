"""``POST /hub/api/nearfield/port``: how a job says where its server listens.

The body is ``{"port": N}`` and nothing else. The caller proves itself with the token of exactly
the server that is being started, held against a digest saved with the spawner's state, so that
it also works after a restart of the hub. Address and everything else come from the scheduler.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from jupyterhub.apihandlers import APIHandler, default_handlers
from tornado import web

from nearfield_spawners.ports import valid_port

ROUTE = "/api/nearfield/port"


def token_digest(token: str) -> str:
    """What is kept of a server's token to recognise it again."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse_port(body: bytes) -> int:
    """The port of a report. Raises ValueError for anything but ``{"port": 1024..65535}``."""
    data = json.loads(body)
    if not isinstance(data, dict) or set(data) != {"port"}:
        raise ValueError("the body must be {'port': N} and nothing else")
    return valid_port(data["port"])


class PortHandler(APIHandler):  # type: ignore[misc]
    """Takes the port report of a starting server."""

    def post(self) -> None:
        spawner = self._spawner()
        if len(self.request.body) > 200:
            raise web.HTTPError(413, "too long")
        try:
            port = parse_port(self.request.body)
        except ValueError as error:
            raise web.HTTPError(400, str(error)) from None
        if not spawner.accept_port(port):
            raise web.HTTPError(409, "this server is not waiting for a port")
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


default_handlers.append((ROUTE, PortHandler))
