"""Access tokens from a login: refreshed, exchanged, refused. The provider is a real one, in memory:
``oidc-provider-mock``, spoken to by OAuthenticator as a hub does."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import time
import warnings
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders

from nearfield.config import parse_config
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    SourceLoginError,
    UnknownNameError,
)
from nearfield_spawners import provider_tokens
from nearfield_spawners.provider_tokens import EXCHANGE, ProviderTokens, UserTokens

oauthenticator = pytest.importorskip("oauthenticator.generic")

CONFIG = parse_config(
    """
sessions: {}
catalogues:
  scicat: {driver: scicat, url: 'https://s.example', token: hub, login_token: true}
  icat: {driver: icat, facility: F, url: 'https://i.example', token: hub, audience: icat}
  both: {driver: scicat, url: 'https://b.example', token: hub, audience: b, login_token: true}
  unsaid: {driver: scicat, url: 'https://u.example', token: hub}
  idlogin: {driver: scicat, url: 'https://l.example', token: hub, token_kind: id, login_token: true}
  idmade: {driver: scicat, url: 'https://m.example', token: hub, token_kind: id, audience: m}
  open: {driver: panosc, url: 'https://o.example'}
"""
)
CLIENT = "Basic " + base64.b64encode(b"hub:s3cret").decode()
CALLBACK = "https://hub.example/callback"


@dataclass
class Provider:
    """The provider's application, and tornado's client for it without a network."""

    exchanges: bool = False
    down: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)
    """Every secret that the provider gave out."""

    def __post_init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from oidc_provider_mock import app
            from oidc_provider_mock._storage import User

        self.app = app(user_claims=[User(sub="7f3a", claims={"preferred_username": "alice"})])
        self.web = self.app.test_client()

    async def fetch(self, request: HTTPRequest, **_options: Any) -> HTTPResponse:
        await asyncio.sleep(0)
        if self.down:
            raise HTTPClientError(599, "Failed to connect")
        form = {k: v[0] for k, v in parse_qs((request.body or b"").decode()).items()}
        self.asked.append(form)
        if form.get("grant_type") == EXCHANGE and self.exchanges:
            status, body = self.exchange(form, request.headers)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = self.web.post(
                    urlsplit(request.url).path, data=form, headers=dict(request.headers)
                )
            status, body = answer.status_code, answer.data
        response = HTTPResponse(request, status, HTTPHeaders(), io.BytesIO(body))
        if status >= 400:
            raise HTTPClientError(status, response=response)
        said = json.loads(body)
        self.sent |= {said[k] for k in ("access_token", "refresh_token") if k in said}
        return response

    def exchange(self, form: dict[str, str], headers: Any) -> tuple[int, bytes]:
        """RFC 8693, which the mock does not know; whether the subject lives it is asked."""
        if headers["Authorization"] != CLIENT:
            return 401, b'{"error": "invalid_client"}'
        bearer = {"Authorization": f"Bearer {form['subject_token']}"}
        if self.web.get("/userinfo", headers=bearer).status_code != 200:
            return 400, b'{"error": "invalid_grant"}'
        ends = json.dumps({"exp": time.time() + 300, "aud": form["audience"]}).encode()
        token = f"e30.{base64.urlsafe_b64encode(ends).decode().rstrip('=')}.{len(self.asked)}"
        return 200, json.dumps({"access_token": token, "token_type": "Bearer"}).encode()

    def login(self) -> dict[str, Any]:
        """What a login gives the hub."""
        query = {"client_id": "hub", "redirect_uri": CALLBACK, "response_type": "code"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = self.web.post(
                "/oauth2/authorize",
                query_string=query | {"scope": "openid profile"},
                data={"sub": "7f3a"},
            )
            code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
            said = self.web.post(
                "/oauth2/token",
                data={
                    "grant_type": "authorization_code",
                    "code": code,
                    "redirect_uri": CALLBACK,
                },
                headers={"Authorization": CLIENT},
            ).json
        self.sent |= {said["access_token"], said["refresh_token"], said["id_token"]}
        return {
            "access_token": said["access_token"],
            "refresh_token": said["refresh_token"],
            "id_token": said["id_token"],
            "token_response": said,
            "oauth_user": {"sub": "7f3a"},
        }

    def revoke(self) -> None:
        assert self.web.post("/users/7f3a/revoke-tokens").status_code == 204

    def takes(self, token: str) -> bool:
        answer = self.web.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code == 200


@dataclass
class User:
    """A user of the hub, whose auth_state is kept."""

    state: dict[str, Any] | None
    authenticator: Any
    id: int = 1
    name: str = "alice"

    async def get_auth_state(self) -> dict[str, Any] | None:
        return None if self.state is None else dict(self.state)

    async def save_auth_state(self, state: dict[str, Any]) -> None:
        self.state = dict(state)


@dataclass
class Hub:
    provider: Provider
    user: User
    now: float
    tokens: ProviderTokens

    async def token(self, catalogue: str = "scicat", *, fresh: bool = False) -> Any:
        return await self.tokens.token(self.user, CONFIG, catalogue, fresh=fresh)

    def refreshes(self) -> int:
        return sum(form["grant_type"] == "refresh_token" for form in self.provider.asked)


@pytest.fixture
def hub() -> Hub:
    provider = Provider()
    authenticator = oauthenticator.GenericOAuthenticator(
        client_id="hub",
        client_secret="s3cret",
        token_url="http://provider/oauth2/token",
        basic_auth=True,
        http_client=provider,
    )
    made = Hub(provider, User(provider.login(), authenticator), time.time(), ProviderTokens())
    made.tokens._clock = lambda: made.now
    return made


async def test_a_token_that_the_provider_takes_and_one_refresh_for_all(hub: Hub) -> None:
    found = await asyncio.gather(*(hub.token() for _ in range(20)))
    assert len({one.secret for one in found}) == 1
    assert hub.provider.takes(found[0].secret)
    assert hub.refreshes() == 1
    assert found[0].ends is not None and found[0].ends > hub.now + 60
    assert hub.user.state is not None
    assert hub.user.state["access_token"] == found[0].secret
    # JupyterHub's own refresh reads this one.
    assert hub.user.state["token_response"]["access_token"] == found[0].secret
    assert hub.user.state["oauth_user"] == {"sub": "7f3a"}


async def test_one_about_to_end_is_renewed_and_one_that_lives_is_not(hub: Hub) -> None:
    first = await hub.token()
    hub.now = first.ends - 61
    assert (await hub.token()).secret == first.secret
    hub.now = first.ends - 59
    second = await hub.token()
    assert second.secret != first.secret and hub.provider.takes(second.secret)
    assert hub.refreshes() == 2


async def test_a_refused_one_is_renewed_once_for_all_who_found_it_so(hub: Hub) -> None:
    first = await hub.token()
    hub.now += 11
    found = await asyncio.gather(*(hub.token(fresh=True) for _ in range(5)))
    assert {one.secret for one in found} != {first.secret}
    assert len({one.secret for one in found}) == 1
    assert hub.refreshes() == 2


async def test_who_is_revoked_must_log_in_again_and_then_can(hub: Hub) -> None:
    await hub.token()
    hub.provider.revoke()
    hub.now += 11
    with pytest.raises(SourceLoginError, match="scicat") as found:
        await hub.token(fresh=True)
    assert "log in again" in str(found.value.hint)
    hub.user.state = hub.provider.login()
    assert hub.provider.takes((await hub.token()).secret)


async def test_the_provider_down_is_no_reason_to_log_in(hub: Hub) -> None:
    hub.provider.down = True
    with pytest.raises(CatalogueUnavailableError, match="identity provider does not answer"):
        await hub.token()
    # Those who come just after do not wait for it, too.
    hub.provider.down = False
    asked = len(hub.provider.asked)
    with pytest.raises(CatalogueUnavailableError):
        await hub.token()
    assert len(hub.provider.asked) == asked
    hub.now += 6
    assert hub.provider.takes((await hub.token()).secret)


async def test_a_provider_that_hangs_is_not_waited_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_request: Any, **_options: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(provider_tokens, "PATIENCE", 0.01)
    monkeypatch.setattr(hub.provider, "fetch", never)
    found = await asyncio.gather(*(hub.token() for _ in range(3)), return_exceptions=True)
    assert {type(one) for one in found} == {CatalogueUnavailableError}


async def test_an_exchanged_token_is_not_given_to_another_login(hub: Hub) -> None:
    hub.provider.exchanges = True
    first = await hub.token("icat")
    # Somebody else, whom the database gave the number of who is gone.
    hub.user.state = None
    with pytest.raises(SourceLoginError):
        await hub.token("icat")
    hub.user.state = hub.provider.login()
    assert (await hub.token("icat")).secret != first.secret


async def test_an_exchanged_token_is_not_given_for_another_audience(hub: Hub) -> None:
    """The name may stand for another server, after the hub has read its configuration again."""
    hub.provider.exchanges = True
    first = await hub.token("icat")
    now = CONFIG.catalogues["icat"].model_copy(update={"audience": "icat-new"})
    changed = CONFIG.model_copy(update={"catalogues": {"icat": now}})
    second = await hub.tokens.token(hub.user, changed, "icat")
    payload = json.loads(base64.urlsafe_b64decode(second.secret.split(".")[1] + "=="))
    assert (payload["aud"], second.secret == first.secret) == ("icat-new", False)


async def test_who_logs_in_while_a_token_is_refreshed_keeps_the_new_login(hub: Hub) -> None:
    newer = hub.provider.login()
    fetch = hub.provider.fetch

    async def slow(request: HTTPRequest, **options: Any) -> HTTPResponse:
        answer = await fetch(request, **options)
        hub.user.state = dict(newer)
        return answer

    hub.provider.fetch = slow  # type: ignore[method-assign]
    hub.now += 10**6
    found = await hub.token(fresh=True)
    assert found.secret == newer["access_token"]
    assert (hub.user.state or {})["refresh_token"] == newer["refresh_token"]


async def test_what_jupyterhub_refreshed_meanwhile_is_taken(hub: Hub) -> None:
    newer = hub.provider.login()
    stale = dict(hub.user.state or {})
    hub.provider.revoke()
    fresh_login = hub.provider.login()
    states = [stale, fresh_login]

    async def read() -> dict[str, Any]:
        return states.pop(0) if len(states) > 1 else states[0]

    hub.user.get_auth_state = read  # type: ignore[method-assign]
    found = await hub.token()
    assert found.secret == fresh_login["access_token"] != newer["access_token"]


async def test_an_exchanged_token_is_for_its_audience_and_kept(hub: Hub) -> None:
    hub.provider.exchanges = True
    first, second = await hub.token("icat"), await hub.token("icat")
    assert first.secret == second.secret
    payload = json.loads(base64.urlsafe_b64decode(first.secret.split(".")[1] + "=="))
    assert payload["aud"] == "icat"
    assert first.ends == payload["exp"], "the end that the token says of itself"
    assert first.secret != (await hub.token("scicat")).secret
    # Its end comes; the login behind it was revoked and refreshed before.
    hub.now = first.ends
    assert (await hub.token("icat")).secret != first.secret


async def test_the_login_behind_an_exchange_may_be_gone(hub: Hub) -> None:
    hub.provider.exchanges = True
    await hub.token("icat")
    hub.provider.revoke()
    hub.now += 11
    with pytest.raises(SourceLoginError):
        await hub.token("icat", fresh=True)


async def test_a_source_that_wants_id_tokens_is_given_them(hub: Hub) -> None:
    assert hub.user.state is not None
    found = await hub.token("idlogin")
    assert found.secret == hub.user.state["id_token"]
    payload = found.secret.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (said["sub"], found.ends) == ("7f3a", said["exp"])
    # It has ended, and the provider gives no newer one with a refresh.
    hub.now = said["exp"] + 1
    with pytest.raises(SourceLoginError):
        await hub.token("idlogin")
    del hub.user.state["id_token"]
    with pytest.raises(BlockedError, match="no ID token"):
        await hub.token("idlogin")
    hub.provider.exchanges = True
    hub.user.state = hub.provider.login()
    assert (await hub.token("idmade")).secret
    kinds = [form.get("requested_token_type") for form in hub.provider.asked]
    assert kinds[-1] == "urn:ietf:params:oauth:token-type:id_token"


async def test_without_exchange_only_what_the_configuration_allows(hub: Hub) -> None:
    with pytest.raises(BlockedError, match="no token for 'icat'"):
        await hub.token("icat")
    assert hub.provider.takes((await hub.token("both")).secret)
    with pytest.raises(BlockedError, match="which token it takes is not said"):
        await hub.token("unsaid")
    for name in ("open", "nowhere", "embedded"):
        with pytest.raises(UnknownNameError):
            await hub.token(name)


async def test_a_login_without_tokens_is_told_so(hub: Hub) -> None:
    hub.user.state = None
    with pytest.raises(SourceLoginError):
        await hub.token()
    hub.user.authenticator = object()
    with pytest.raises(BlockedError, match="gives no tokens"):
        await hub.token()


async def test_without_a_refresh_token_it_lives_until_it_is_refused(hub: Hub) -> None:
    assert hub.user.state is not None
    hub.user.state["refresh_token"] = None
    found = await hub.token()
    assert (found.secret, found.ends) == (hub.user.state["access_token"], None)
    with pytest.raises(SourceLoginError):
        await hub.token(fresh=True)


async def test_a_hub_that_the_provider_does_not_know_is_not_the_users_fault(hub: Hub) -> None:
    hub.user.authenticator.basic_auth = False
    with pytest.raises(BlockedError, match="refuses this hub: invalid_client"):
        await hub.token()


async def test_another_user_gets_nothing_of_the_first(hub: Hub) -> None:
    mine = await hub.token()
    other = User(None, hub.user.authenticator, id=2, name="bob")
    with pytest.raises(SourceLoginError):
        await hub.tokens.token(other, CONFIG, "scicat")
    other.state = hub.provider.login()
    assert (await hub.tokens.token(other, CONFIG, "scicat")).secret != mine.secret


async def test_the_hubs_own_page_gets_the_same_in_process(hub: Hub) -> None:
    found = await UserTokens(hub.user, CONFIG, "scicat").token()
    assert hub.provider.takes(found)


async def test_no_secret_is_in_a_log_a_representation_or_an_error(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = [repr(await hub.token()), repr(hub.tokens._kept)]
    hub.provider.revoke()
    hub.now += 11
    for catalogue in ("scicat", "icat"):
        with pytest.raises((SourceLoginError, BlockedError)) as found:
            await hub.token(catalogue, fresh=True)
        said.append(f"{found.value} {found.value!r} {found.value.__cause__}")
    # The provider runs in this process, too; its own log is its own affair.
    ours = [r for r in caplog.records if not r.name.startswith(("authlib", "oidc_provider"))]
    assert ours
    text = "\n".join([*said, *(record.getMessage() for record in ours)])
    assert "s3cret" not in text
    assert not [secret for secret in hub.provider.sent if secret in text]
