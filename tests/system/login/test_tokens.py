"""A session is given its user's access tokens by the hub, and they are nowhere but in its memory.

Hub, provider, Slurm job, image, Jupyter server and kernel are real.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn

from hublab.oidc import PEOPLE, OidcHub, Provider, log_in, provider_of, start
from hublab.process import HEAD, REPO
from hublab.running import running
from hublab.site import SETTINGS, site_config
from nearfield.datasets import Access, Dataset
from nearfield.errors import BlockedError
from nearfield.hub_access import HubAccess, make_batch_token, revoke_batch_token
from nearfield.testing.fake_scicat import FakeSciCat, FakeUser
from sourcelab.scicat import record_of

IDENTITY = {"claim": "oauth_user.email", "map": {"a.example@example.org": "alice"}}
HERS = "hers-in-scicat"
# So that the test knows what it looks for.
SEES = """
c.JupyterHub.load_roles.append(
    {"name": "sees", "services": ["test"], "scopes": ["admin:auth_state"]}
)
c.Authenticator.auth_refresh_age = 0  # what refreshes is the hub's route alone
"""
IN_THE_SESSION = """
import asyncio, hashlib, json, os
from nearfield.catalogue._hub_tokens import HubTokens
from nearfield.errors import NearfieldError
def ask(name, **how):
    import threading
    told = []
    def work():
        try:
            told.append(hashlib.sha256(asyncio.run(HubTokens(name).token(**how)).encode()).hexdigest())
        except NearfieldError as error:
            told.append([type(error).__name__, error.message, error.hint])
    one = threading.Thread(target=work); one.start(); one.join()
    return told[0]
print(json.dumps({
    "one": ask("one"), "again": ask("one"), "two": ask("two"), "three": ask("three"),
    "url": os.environ["JUPYTERHUB_API_URL"], "hub_token": os.environ["JUPYTERHUB_API_TOKEN"],
}))
"""


@dataclass
class Session:
    """alice's session, and a browser that is logged in."""

    hub: OidcHub
    browser: httpx.Client
    told: dict[str, Any]

    @property
    def access(self) -> HubAccess:
        return HubAccess(self.told["url"], self.told["hub_token"])

    def ask(self, name: str, token: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.access.token}"}
        return httpx.post(
            f"{self.access.ours}/catalogue-token",
            headers=headers | more.pop("headers", {}),
            json={"catalogue": name} | more,
            timeout=30,
        )

    def secrets(self) -> set[str]:
        """What the provider gave to the hub."""
        state = self.hub.api("GET", "users/a.example").json()["auth_state"]
        found = {state["access_token"], state["refresh_token"], state["id_token"]}
        return {one for one in found if one}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provider_of(PEOPLE) as provider:
        yield provider


class TakenByProvider(dict[str, str]):
    """SciCat's accounts by token: the provider says whether a token is good."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def __contains__(self, token: object) -> bool:
        return self.provider.takes(str(token))

    def __getitem__(self, token: str) -> str:
        return "alice"


@pytest.fixture(scope="module")
def scicat(cluster: Any, provider: Provider) -> Iterator[str]:
    """A SciCat that takes the provider's tokens and knows a dataset of alice's. Its address."""
    fake = FakeSciCat([FakeUser("alice", groups=("alice",))], exchanges=False)
    hers = Dataset(pid=HERS, title="measured elsewhere", access=Access(owner="alice"))
    fake.add(record_of(hers, sourceFolder="/elsewhere"))
    fake.tokens = TakenByProvider(provider)
    with socket.socket() as sock:
        sock.bind((HEAD, 0))
        config = uvicorn.Config(fake, log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        yield f"http://{HEAD}:{sock.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def hub(cluster: Any, provider: Provider, scicat: str) -> Iterator[OidcHub]:
    hub = OidcHub(cluster=cluster, folder=Path(cluster.dir) / "hub-tokens")
    hub.provider = provider.url
    config = site_config(cluster, hub.folder, hub.url)
    source = {"driver": "scicat", "url": scicat, "token": "hub"}
    sources = {"one": source | {"login_token": True}, "two": source | {"audience": "two"}}
    config |= {"identity": IDENTITY, "catalogues": sources}
    hub.prepare(config, SETTINGS + (REPO / "hub_config/oidc.py").read_text() + SEES)
    with running(hub):
        yield hub


@pytest.fixture(scope="module")
def session(hub: OidcHub) -> Iterator[Session]:
    with httpx.Client(follow_redirects=True, timeout=60) as browser:
        home = log_in(hub, browser, "7f3a")
        assert home.status_code == 200, home.text
        answer = start(hub, browser, "a.example", "small")
        assert answer.status_code in {201, 202}, answer.text
        hub.wait_ready("a.example")
        token = hub.user_token("a.example")
        told = json.loads(hub.execute("a.example", token, IN_THE_SESSION))
        try:
            yield Session(hub, browser, told)
        finally:
            if hub.server("a.example") is not None:
                hub.stop_server("a.example")


def test_a_session_is_given_a_token_that_the_provider_takes(
    session: Session, provider: Provider
) -> None:
    answer = session.ask("one")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    secret = answer.json()["access_token"]
    assert provider.takes(secret) and answer.json()["expires_in"] > 60
    # The kernel was given the same one, and asked once.
    assert session.told["one"] == session.told["again"]
    assert session.told["one"] == hashlib.sha256(secret.encode()).hexdigest()
    # What the provider makes no token for, and what there is not.
    assert session.told["two"][0] == "BlockedError" and "'two'" in session.told["two"][1]
    assert session.told["three"][0] == "BlockedError"


def test_a_session_in_an_image_searches_the_sites_catalogues_as_its_user(
    session: Session,
) -> None:
    """nearfield.yaml is not in the image; the token is not in the browser."""
    api = f"{session.hub.url}/user/a.example/nearfield/api"
    headers = {"Authorization": f"token {session.hub.user_token('a.example')}"}
    answer = httpx.get(f"{api}/datasets", params={"q": "measured"}, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    states = {one["source"]: one for one in answer.json()["sources"]}
    assert set(states) == {"lab", "one", "two"}
    assert states["one"]["state"] == "answered", states
    assert [(one["source"], one["pid"]) for one in answer.json()["datasets"]] == [("one", HERS)]
    # The provider makes no token for that one: named, and the others answer.
    assert states["two"]["state"] == "failed" and "'two'" in states["two"]["message"]
    one = httpx.get(f"{api}/datasets/{HERS}", params={"source": "one"}, headers=headers, timeout=60)
    assert one.json()["title"] == "measured elsewhere"
    # Not here: no look at its files.
    tree = httpx.get(f"{api}/datasets/{HERS}/tree", headers=headers, timeout=60)
    assert (tree.status_code, tree.json()["reason"]) == (409, "unavailable")


def test_no_browser_is_answered_and_nobody_elses_token(session: Session) -> None:
    url = f"{session.hub.url}/hub/nearfield/api/catalogue-token"
    xsrf = next(c.value for c in session.browser.cookies.jar if c.name == "_xsrf")
    by_cookie = session.browser.post(
        url, json={"catalogue": "one"}, headers={"X-XSRFToken": str(xsrf)}
    )
    assert by_cookie.status_code == 403 and "access_token" not in by_cookie.text
    for headers in ({"Origin": session.hub.url}, {"Cookie": "a=b"}, {"Sec-Fetch-Mode": "cors"}):
        assert session.ask("one", headers=headers).status_code == 403
    assert session.ask("one", "no-token-of-the-hub").status_code == 401
    # A user who never logged in has nothing; a token with other scopes gets nothing.
    stranger = session.ask("one", session.hub.user_token("stranger"))
    assert (stranger.status_code, stranger.json()["reason"]) == (403, "token-expired")
    little = session.hub.api(
        "POST", "users/a.example/tokens", json={"scopes": ["read:users!user=a.example"]}
    ).json()["token"]
    refused = session.ask("one", little)
    assert refused.status_code == 403 and "scope" in refused.json()["message"]
    assert session.ask("one", session.hub.admin_token).status_code == 403


def test_no_token_is_in_a_log_a_page_an_argument_or_a_file(session: Session) -> None:
    hub, secrets = session.hub, session.secrets()
    assert len(secrets) >= 2
    assert hashlib.sha256(session.ask("one").json()["access_token"].encode()).hexdigest() in {
        hashlib.sha256(one.encode()).hexdigest() for one in secrets
    }
    pages = [
        session.browser.get(f"{hub.url}{path}")
        for path in (
            "/hub/home",
            "/hub/token",
            "/hub/spawn/a.example",
            "/user/a.example/lab",
            "/user/a.example/nearfield/api/session",
            "/user/a.example/nearfield/api/datasets",
            "/user/a.example/api/contents",
        )
    ]
    assert all(page.status_code < 400 for page in pages[:5]), [p.status_code for p in pages]
    texts = {str(page.url): page.text + str(page.headers) for page in pages}
    home = hub.cluster.home("alice")
    files = [*home.rglob("*"), *hub.folder.rglob("*.log")]
    seen = 0
    for path in files:
        if path.is_file() and not path.is_symlink():
            texts[str(path)] = path.read_text(errors="replace")
            seen += 1
    assert seen > 3 and any("hub.log" in name for name in texts)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            for part in ("cmdline", "environ"):
                try:
                    texts[f"{entry}/{part}"] = (entry / part).read_text(errors="replace")
                except OSError:
                    continue
    found = [name for name, text in texts.items() for one in secrets if one in text]
    assert found == []
    assert "event=catalogue-token user=a.example catalogue=one" in hub.log.read_text()


def test_a_batch_goes_on_after_its_session_and_ends_when_it_is_revoked(
    session: Session, provider: Provider, tmp_path: Path
) -> None:
    file = make_batch_token(hours=1, note="night", file=tmp_path / "token", access=session.access)
    batch = HubAccess.read(file)
    # The hub's page has it, by name; it can start no session and read nothing of the user's.
    assert "Nearfield batch: night" in session.browser.get(f"{session.hub.url}/hub/token").text
    for path in ("users/a.example", "users"):
        found = session.hub.api("GET", path, token=batch.token)
        assert found.status_code in {403, 404} or "servers" not in found.json()
    started = session.hub.api("POST", "users/a.example/servers/x", token=batch.token, json={})
    assert started.status_code in {403, 404}
    session.hub.stop_server("a.example")
    assert session.ask("one").status_code == 401, "the session's token ended with it"
    answer = session.ask("one", batch.token)
    assert answer.status_code == 200 and provider.takes(answer.json()["access_token"])
    revoke_batch_token(file)
    assert not file.exists()
    assert session.ask("one", batch.token).status_code == 401
    batch.write(file)
    revoke_batch_token(file)  # a second time is no error
    with pytest.raises(BlockedError):
        HubAccess.read(file)


def test_who_is_revoked_is_told_to_log_in_and_a_provider_that_is_down_is_named(
    session: Session, provider: Provider
) -> None:
    token = session.hub.user_token("a.example")
    provider.revoke("7f3a")
    # Those that it made of late are handed out for so long; a hub that comes back knows none.
    restart(session.hub)
    refused = session.ask("one", token)
    assert (refused.status_code, refused.json()["reason"]) == (403, "token-expired")
    assert "log in again" in refused.json()["hint"]
    with httpx.Client(follow_redirects=True, timeout=60) as browser:
        log_in(session.hub, browser, "7f3a")
    answer = session.ask("one", token)
    assert answer.status_code == 200 and provider.takes(answer.json()["access_token"])
    provider.process.kill()
    provider.process.wait(10)
    restart(session.hub)
    down = session.ask("one", token)
    assert (down.status_code, down.json()["reason"]) == (503, "unavailable")
    assert "one" in down.json()["message"]


def restart(hub: OidcHub) -> None:
    hub.kill()
    hub.start()
