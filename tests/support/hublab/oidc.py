"""A login through a real OpenID Connect provider: the provider, the hub, and a browser's steps."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from free_port import free_port
from hublab.process import HubProcess

PEOPLE = {
    # The provider's own number for a person, and what it calls them.
    "7f3a": {"preferred_username": "a.example", "email": "a.example@example.org"},
    "91bc": {"preferred_username": "mallory", "email": "m@example.org"},
    "44d0": {"preferred_username": "d.daemon", "email": "d@example.org"},
}


@dataclass
class Provider:
    url: str
    process: subprocess.Popen[bytes]

    def revoke(self, sub: str) -> None:
        """The provider forgets a person's tokens, as when somebody is disabled there."""
        assert httpx.post(f"{self.url}/users/{sub}/revoke-tokens", timeout=10).is_success

    def takes(self, token: str) -> bool:
        """Is it an access token that the provider would answer?"""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.url}/userinfo", headers=headers, timeout=10).is_success


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


@contextmanager
def provider_of(people: dict[str, dict[str, str]]) -> Iterator[Provider]:
    """A provider that knows these people by its own numbers for them."""
    port = free_port()
    argv = [str(Path(sys.executable).with_name("oidc-provider-mock")), "--port", str(port)]
    for sub, claims in people.items():
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


def log_in(hub: HubProcess, browser: httpx.Client, sub: str) -> httpx.Response:
    """What a browser does from the hub's login page to wherever it ends."""
    form = browser.get(f"{hub.url}/hub/oauth_login", params={"next": "/hub/home"})
    assert "/oauth2/authorize" in str(form.url), form.text
    return browser.post(str(form.url), data={"sub": sub})


def start(
    hub: HubProcess, browser: httpx.Client, name: str, profile: str = "stand-in"
) -> httpx.Response:
    """Start the default server with the browser's cookies alone."""
    xsrf = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    return browser.post(
        f"{hub.url}/hub/api/users/{name}/server",
        json={"profile": profile},
        headers={"X-XSRFToken": str(xsrf), "Referer": f"{hub.url}/hub/home"},
    )
