"""What is asked of a hub over HTTP, by an administrator's token where none is given."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from typing import Any

import httpx


class HubClient:
    """The requests of tests. Whoever has the hub gives ``url``, ``admin_token`` and ``tail``."""

    admin_token: str

    @property
    def url(self) -> str:
        raise NotImplementedError

    def tail(self, lines: int = 60) -> str:
        """The end of the hub's log, for the message of a test that failed."""
        raise NotImplementedError

    def api(
        self, method: str, path: str, *, token: str | None = None, **kwargs: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"token {token or self.admin_token}"}
        kwargs.setdefault("timeout", 60)
        return httpx.request(method, f"{self.url}/hub/api/{path}", headers=headers, **kwargs)

    def user_token(self, user: str) -> str:
        self.api("POST", f"users/{user}")
        answer = self.api("POST", f"users/{user}/tokens", json={"note": "test"})
        assert answer.status_code < 300, answer.text
        return str(answer.json()["token"])

    def servers(self, user: str) -> dict[str, dict[str, Any]]:
        """The user's active servers by name; none for somebody who never came."""
        found: dict[str, dict[str, Any]] = self.api("GET", f"users/{user}").json().get("servers")
        return found or {}

    def server(self, user: str, name: str = "") -> dict[str, Any] | None:
        return self.servers(user).get(name)

    def request_server(
        self, user: str, options: dict[str, Any], name: str = "", **kwargs: Any
    ) -> httpx.Response:
        self.api("POST", f"users/{user}")
        return self.api("POST", _path(user, name), json=options, **kwargs)

    def ask_for_server(self, user: str, options: dict[str, Any], name: str = "") -> None:
        """Return when the hub knows of the server: one that must wait is answered after 10 s."""
        self.api("POST", f"users/{user}")
        answers: list[httpx.Response] = []

        def ask() -> None:
            with suppress(httpx.HTTPError):  # a test may kill the hub over it
                answers.append(self.api("POST", _path(user, name), json=options))

        asking = Thread(target=ask, daemon=True)
        asking.start()
        while asking.is_alive() and self.server(user, name) is None:
            time.sleep(0.05)
        assert not answers or answers[0].status_code < 300, answers[0].text + self.tail()

    def wait_ready(self, user: str, seconds: float = 60, name: str = "") -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            server = self.server(user, name)
            assert server is not None, f"the server of {user} is gone:\n{self.tail()}"
            if server["ready"]:
                return server
            time.sleep(0.1)
        raise AssertionError(f"the server of {user} did not get ready:\n{self.tail()}")

    def wait_gone(self, user: str, seconds: float = 60, name: str = "") -> None:
        deadline = time.monotonic() + seconds
        while self.server(user, name) is not None:
            assert time.monotonic() < deadline, f"the server of {user} did not stop:\n{self.tail()}"
            time.sleep(0.1)

    def stop_server(self, user: str, seconds: float = 60, name: str = "") -> None:
        answer = self.api("DELETE", _path(user, name))
        assert answer.status_code in {202, 204}, answer.text + self.tail()
        self.wait_gone(user, seconds, name)

    def stop_servers(self, *users: str) -> None:
        """All of these people's, side by side."""
        found = [(user, name) for user in users for name in self.servers(user)]
        with ThreadPoolExecutor(8) as beside:
            list(beside.map(lambda one: self.stop_server(one[0], name=one[1]), found))


def _path(user: str, name: str) -> str:
    return f"users/{user}/servers/{name}" if name else f"users/{user}/server"
