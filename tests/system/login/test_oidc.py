"""A login through a real OpenID Connect provider ends in a session of the right Unix account.

The hub is the unprivileged one of all system tests, with ``hub_config/oidc.py`` as it is.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hublab.oidc import PEOPLE, OidcHub, Provider, log_in, provider_of, start
from hublab.process import REPO
from hublab.running import running
from hublab.site import SETTINGS, site_config

IDENTITY = {
    "claim": "oauth_user.email",
    "map": {"a.example@example.org": "alice", "d@example.org": "daemon"},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provider_of(PEOPLE) as provider:
        yield provider


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
