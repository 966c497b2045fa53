"""A hub as the catalogue service sees it: who holds which token."""

from __future__ import annotations

from typing import Any

import httpx

PREFIX = "/services/catalogue"
ACCESS = "access:services!service=catalogue"
OWN_TOKEN = "own-token"  # noqa: S105 - the fake service's


class FakeHub:
    """A hub of a few users; ``asked`` lists the tokens that it saw."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "alice-token": {
                "name": "alice",
                "kind": "user",
                "groups": [],
                "admin": False,
                "scopes": [ACCESS],
            },
            "admin-token": {
                "name": "adm",
                "kind": "user",
                "groups": [],
                "admin": True,
                "scopes": ["access:services", "admin:users"],
            },
            "nogroups-token": {"name": "zoë/x", "kind": "user", "scopes": [ACCESS]},
            "service-token": {"name": "alice", "kind": "service", "admin": True},
            "nameless-token": {"kind": "user"},
        }
        self.down: int | Exception | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.asked.append(token)
        if isinstance(self.down, Exception):
            raise self.down
        if self.down is not None:
            return httpx.Response(self.down)
        path = request.url.raw_path.decode()
        if path == "/hub/api/users/zo%C3%AB%2Fx":
            assert token == OWN_TOKEN
            return httpx.Response(200, json={"name": "zoë/x", "groups": ["chemists"]})
        assert path == "/hub/api/user"
        if token not in self.answers:
            return httpx.Response(403, json={"message": "Forbidden"})
        return httpx.Response(200, json=self.answers[token])
