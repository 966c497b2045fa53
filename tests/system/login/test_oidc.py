"""A login through a real OpenID Connect provider ends in a session of the right Unix account.

The hub is the unprivileged one of all system tests, with ``hub_config/oidc.py`` as it is.
"""

from __future__ import annotations

import html
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hublab.process import REPO, HubProcess
from hublab.running import running
from hublab.site import SETTINGS, site_config

PEOPLE = {
    # The provider's own number for a person, and what it calls them.
    "7f3a": {"preferred_username": "a.example", "email": "a.example@example.org"},
    "91bc": {"preferred_username": "mallory", "email": "m@example.org"},
    "44d0": {"preferred_username": "d.daemon", "email": "d@example.org"},
}
IDENTITY = {
    "claim": "oauth_user.email",
    "map": {"a.example@example.org": "alice", "d@example.org": "daemon"},
}


@dataclass
class Provider:
    url: str
    process: subprocess.Popen[bytes]

    def revoke(self, sub: str) -> None:
        """The provider forgets a person's tokens, as when somebody is disabled there."""
        assert httpx.post(f"{self.url}/users/{sub}/revoke-tokens", timeout=10).is_success


class OidcHub(HubProcess):
    provider: str

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "NEARFIELD_URL": self.url,
            "OIDC_CLIENT_SECRET": "the-clients-secret",
            "OIDC_AUTHORIZE": f"{self.provider}/oauth2/authorize",
            "OIDC_TOKEN": f"{self.provider}/oauth2/token",
            "OIDC_USERINFO": f"{self.provider}/userinfo",
            "JUPYTERHUB_CRYPT_KEY": "0" * 64,
        }


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    argv = [str(Path(sys.executable).with_name("oidc-provider-mock")), "--port", str(port)]
    for sub, claims in PEOPLE.items():
        argv += ["--user-claims", json.dumps({"sub": sub} | claims)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.get(f"{url}/.well-known/openid-configuration", timeout=5)
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.1)
        yield Provider(url, process)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def hub(cluster: Any, provider: Provider) -> Iterator[OidcHub]:
    hub = OidcHub(cluster=cluster, folder=Path(cluster.dir) / "hub-oidc")
    hub.provider = provider.url
    config = site_config(cluster, hub.folder, hub.url) | {"identity": IDENTITY}
    hub.prepare(config, SETTINGS + (REPO / "hub_config/oidc.py").read_text())
    with running(hub):
        yield hub


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, timeout=30) as client:
        yield client


def log_in(hub: HubProcess, browser: httpx.Client, sub: str) -> httpx.Response:
    """What a browser does from the hub's login page to wherever it ends."""
    form = browser.get(f"{hub.url}/hub/oauth_login", params={"next": "/hub/home"})
    assert "/oauth2/authorize" in str(form.url), form.text
    return browser.post(str(form.url), data={"sub": sub})


def start(hub: HubProcess, browser: httpx.Client, name: str) -> httpx.Response:
    """Start the default server with the browser's cookies alone."""
    xsrf = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    return browser.post(
        f"{hub.url}/hub/api/users/{name}/server",
        json={"profile": "stand-in"},
        headers={"X-XSRFToken": str(xsrf), "Referer": f"{hub.url}/hub/home"},
    )


def test_a_login_ends_in_a_session_of_that_account(
    idle: Any, hub: OidcHub, provider: Provider, browser: httpx.Client
) -> None:
    home = log_in(hub, browser, "7f3a")
    assert (home.status_code, str(home.url)) == (200, f"{hub.url}/hub/home")
    answer = start(hub, browser, "a.example")
    assert answer.status_code in {201, 202}, answer.text
    hub.wait_ready("a.example")
    assert [state for state in idle.squeue(user="alice").values() if state == "RUNNING"]
    # Nothing of the provider's is in the session.
    told = (hub.cluster.home("alice") / ".local/share/nearfield/sessions").rglob("session.json")
    assert not [p for p in told if "example.org" in p.read_text() or "oauth" in p.read_text()]
    hub.stop_server("a.example")
    # Somebody whom the provider does not know any more starts nothing.
    provider.revoke("7f3a")
    refused = start(hub, browser, "a.example")
    assert refused.status_code == 403, refused.text
    assert hub.server("a.example") is None


@pytest.mark.parametrize(
    ("sub", "name", "why"),
    [("91bc", "mallory", "m@example.org"), ("44d0", "d.daemon", "'daemon' is a system account")],
)
def test_who_has_no_account_here_is_told_so_at_the_door(
    hub: OidcHub, browser: httpx.Client, sub: str, name: str, why: str
) -> None:
    page = log_in(hub, browser, sub)
    assert page.status_code == 403
    assert why in html.unescape(page.text), page.text
    assert hub.api("GET", f"users/{name}").status_code == 404
