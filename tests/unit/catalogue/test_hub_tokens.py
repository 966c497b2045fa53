"""What a session asks the hub for, how seldom, and what it is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from nearfield.catalogue import ServiceCatalogue, _hub_tokens, open_catalogue
from nearfield.catalogue._http import SourceClient
from nearfield.catalogue._hub_tokens import HubTokens
from nearfield.catalogue._tokens import TokenSource
from nearfield.config import Config
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    NearfieldError,
    SourceLoginError,
)
from nearfield.hub_access import HubAccess

ACCESS = HubAccess("http://hub:8081/hub/api", "the-session's-token")


class Hub:
    """Answers as the hub's route does."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: httpx.Response | Exception | None = None
        self.life: int | None = 300
        self.now = 1000.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        assert str(request.url) == "http://hub:8081/hub/nearfield/api/catalogue-token"
        assert request.headers["Authorization"] == f"Bearer {ACCESS.token}"
        assert "Cookie" not in request.headers and "Origin" not in request.headers
        self.asked.append(json.loads(request.content))
        if isinstance(self.answer, Exception):
            raise self.answer
        token = {"access_token": f"secret-{len(self.asked)}", "expires_in": self.life}
        return self.answer or httpx.Response(200, json=token)

    def tokens(self, catalogue: str = "scicat") -> HubTokens:
        transport = httpx.MockTransport(self)
        return HubTokens(catalogue, ACCESS, transport=transport, clock=lambda: self.now)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(_hub_tokens, "_kept", {})
    return Hub()


async def test_many_who_want_one_make_one_request(hub: Hub) -> None:
    tokens: TokenSource = hub.tokens()
    found = await asyncio.gather(*(tokens.token() for _ in range(20)))
    assert set(found) == {"secret-1"}
    assert hub.asked == [{"catalogue": "scicat", "fresh": False}]


async def test_it_is_kept_as_long_as_it_lives_whoever_opens_the_catalogue(hub: Hub) -> None:
    assert await hub.tokens().token() == "secret-1"
    hub.now += 269
    assert await hub.tokens().token() == "secret-1"
    hub.now += 2
    assert await hub.tokens().token() == "secret-2"
    # For another catalogue it is worth nothing.
    assert await hub.tokens("icat").token() == "secret-3"


async def test_a_refused_one_is_asked_for_anew(hub: Hub) -> None:
    tokens = hub.tokens()
    await tokens.token()
    assert await tokens.token(fresh=True) == "secret-2"
    assert hub.asked[-1] == {"catalogue": "scicat", "fresh": True}
    assert await tokens.token() == "secret-2"


async def test_one_whose_life_is_not_known_is_kept_for_a_minute(hub: Hub) -> None:
    hub.life = None
    tokens = hub.tokens()
    await tokens.token()
    hub.now += 59
    assert await tokens.token() == "secret-1"
    hub.now += 2
    assert await tokens.token() == "secret-2"


async def test_one_who_goes_away_does_not_take_it_from_the_others(hub: Hub) -> None:
    tokens = hub.tokens()
    first = asyncio.create_task(tokens.token())
    second = asyncio.create_task(tokens.token())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "secret-1"
    assert len(hub.asked) == 1


def refusal(status: int, reason: str | None) -> httpx.Response:
    said = {"status": status, "message": "words", "hint": "do", "reason": reason}
    return httpx.Response(status, json=said)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(403, "token-expired"), SourceLoginError),
        (refusal(503, "unavailable"), CatalogueUnavailableError),
        (refusal(409, "blocked"), BlockedError),
        (refusal(403, None), BlockedError),
        (refusal(401, None), BlockedError),
        (httpx.Response(200, text="<html>log in</html>"), BlockedError),
        (httpx.Response(200, json={"access_token": "x"}), BlockedError),
        (httpx.Response(200, json=[]), BlockedError),
        (httpx.Response(404, text="no"), BlockedError),
        (httpx.ConnectError("refused"), CatalogueUnavailableError),
        (httpx.ReadTimeout("slow"), CatalogueUnavailableError),
    ],
)
async def test_each_refusal_names_the_source_and_what_to_do(
    hub: Hub, answer: Any, kind: type[NearfieldError]
) -> None:
    hub.answer = answer
    with pytest.raises(NearfieldError) as found:
        await hub.tokens().token()
    assert type(found.value) is kind
    assert found.value.message.startswith("scicat:") and found.value.hint
    assert ACCESS.token not in f"{found.value!r} {found.value.__cause__!r}"
    hub.answer = None
    assert (await hub.tokens().token()).startswith("secret-")


async def test_outside_a_session_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "NEARFIELD_HUB_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BlockedError, match="no hub"):
        await HubTokens("scicat").token()


async def test_it_tells_no_secret(hub: Hub) -> None:
    tokens = hub.tokens()
    await tokens.token()
    assert "secret" not in repr(tokens) + repr(_hub_tokens._kept)
    assert ACCESS.token not in repr(ACCESS) + repr(tokens)


def test_a_new_loop_is_no_trouble(hub: Hub) -> None:
    tokens = hub.tokens()
    assert asyncio.run(tokens.token()) == "secret-1"
    assert asyncio.run(tokens.token(fresh=True)) == "secret-2"


def test_a_batch_asks_the_hubs_catalogue_with_its_own_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    HubAccess("http://hub/hub/api", "batch-secret", "http://hub/services/catalogue").write(file)
    monkeypatch.setenv("NEARFIELD_HUB_TOKEN_FILE", str(file))
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-a-session-that-ended")
    catalogue = open_catalogue(Config())
    assert isinstance(catalogue, ServiceCatalogue)
    assert catalogue.url == "http://hub/services/catalogue"
    assert catalogue._client.headers["Authorization"] == "Bearer batch-secret"
    file.chmod(0o644)
    with pytest.raises(BlockedError, match="others may read"):
        open_catalogue(Config())


async def test_a_source_that_refuses_a_token_is_asked_once_more_with_a_fresh_one(hub: Hub) -> None:
    seen: list[str] = []
    taken = {"secret-2"}

    def source(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"].removeprefix("Bearer "))
        return httpx.Response(200 if seen[-1] in taken else 401, json=[])

    client = SourceClient(
        "scicat",
        "https://scicat.example",
        token=hub.tokens(),
        transport=httpx.MockTransport(source),
    )
    assert await client.json("GET", "/api/v4/datasets") == []
    assert seen == ["secret-1", "secret-2"]
    # Refused whatever it is: told so, and the hub is not asked again and again.
    taken.clear()
    with pytest.raises(SourceLoginError, match="scicat"):
        await client.json("GET", "/api/v4/datasets")
    assert seen[2:] == ["secret-2", "secret-3"]
    assert len(hub.asked) == 3
    # The hub itself says that the login has ended: its words are the answer.
    hub.answer = refusal(403, "token-expired")
    with pytest.raises(SourceLoginError, match="words") as found:
        await client.json("GET", "/api/v4/datasets")
    assert found.value.hint == "do"
    assert "secret" not in f"{found.value!r} {client!r}"
    await client.aclose()
