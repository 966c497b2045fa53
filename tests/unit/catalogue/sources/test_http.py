"""The client of all sources: what goes wrong is said in words, with the source's name."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from nearfield.catalogue._http import ATTEMPTS, MAX_REDIRECTS, Credentials, SourceClient, segment
from nearfield.catalogue._http_answers import TooLongError
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    SourceLoginError,
    SourceStatusError,
)

URL = "https://catalogue.example/api"
Handler = Callable[[httpx.Request], httpx.Response]


class Tokens:
    """Gives one token after the other, and says how often it was asked."""

    def __init__(self, *tokens: str | None) -> None:
        self.tokens, self.asked = list(tokens), 0

    async def token(self, *, fresh: bool = False) -> str | None:
        self.asked += 1
        if fresh:
            self.tokens.pop(0)
        return self.tokens[0]


class Asked:
    """A client over a handler; remembers requests and pauses."""

    def __init__(self, handler: Handler, tokens: Tokens | None = None, **options: Any) -> None:
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)

        self.client = SourceClient(
            "beamline",
            URL,
            token=tokens,
            transport=httpx.MockTransport(answer),
            sleep=sleep,
            **options,
        )

    async def fails(self, kind: type[CatalogueError], method: str = "GET", **more: Any) -> str:
        with pytest.raises(kind) as caught:
            await self.client.json(method, "/x", **more)
        assert type(caught.value) is kind
        assert str(caught.value).startswith("beamline: ")
        return str(caught.value)


def always(status: int, **answer: Any) -> Handler:
    return lambda request: httpx.Response(status, **answer)


def one_after_the_other(*answers: httpx.Response | Exception) -> Handler:
    left = list(answers)

    def handler(request: httpx.Request) -> httpx.Response:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return handler


async def test_an_answer() -> None:
    asked = Asked(always(200, json={"a": 1}))
    found = await asked.client.json("GET", "/x", params=[("q", "a b"), ("q", "c&d")])
    assert found == {"a": 1}
    assert str(asked.requests[0].url) == f"{URL}/x?q=a+b&q=c%26d"
    assert "authorization" not in asked.requests[0].headers


async def test_nothing_is_none() -> None:
    assert await Asked(always(200)).client.json("GET", "/x") is None


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!doctype html><title>Log in</title>", "text/html; charset=utf-8"),
        (b"\n <html>", "application/json"),
    ],
)
async def test_a_web_page(content: bytes, kind: str) -> None:
    asked = Asked(always(200, content=content, headers={"content-type": kind}))
    assert "web page" in await asked.fails(CatalogueError)
    assert len(asked.requests) == 1


@pytest.mark.parametrize(
    "content", [b'{"a": [1, 2', b"[" * 100_000, b'"\xff"', b"nothing", b'{"a": 1} x']
)
async def test_half_a_document(content: bytes) -> None:
    said = await Asked(always(200, content=content)).fails(CatalogueError)
    assert "cut off or is no JSON" in said
    assert len(said) < 300


async def test_half_a_character_loses_no_page() -> None:
    asked = Asked(always(200, content=b'[{"\\udc00": ["a\\ud800b", "\\ud83d\\ude00"]}]'))
    assert await asked.client.json("GET", "/x") == [{"?": ["a?b", "\U0001f600"]}]


async def test_another_kind_of_answer_names_the_field_and_not_the_value() -> None:
    asked = Asked(always(200, json=[{"pid": ["secret value"]}]))
    said = await asked.fails(CatalogueError, adapter=TypeAdapter(list[dict[str, str]]))
    assert "0.pid" in said
    assert "secret value" not in said


async def test_too_long_is_read_no_further_than_the_bound() -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 10_000
            yield b" " * 10_000

    asked = Asked(always(200, content=pieces()))
    assert "more than 0.1 MB" in await asked.fails(TooLongError, max_body=100_000)
    assert sent <= 120_000


async def test_ten_megabytes_are_too_much_by_default() -> None:
    asked = Asked(always(200, content=b" " * 10_000_000))
    assert "more than 8 MB" in await asked.fails(TooLongError)
    assert len(asked.requests) == 1


async def test_packed_answers_count_unpacked() -> None:
    packed = gzip.compress(b" " * 10_000_000)
    asked = Asked(always(200, content=packed, headers={"content-encoding": "gzip"}))
    assert "more than 8 MB" in await asked.fails(TooLongError)
    packed = gzip.compress(json.dumps({"a": 1}).encode())
    good = Asked(always(200, content=packed, headers={"content-encoding": "gzip"}))
    assert await good.client.json("GET", "/x") == {"a": 1}


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip, zstd"])
async def test_packed_as_nobody_asked(encoding: str) -> None:
    asked = Asked(always(200, content=b"x", headers={"content-encoding": encoding}))
    assert "packed as" in await asked.fails(CatalogueError)


async def test_broken_packing() -> None:
    asked = Asked(always(200, content=b"no gzip", headers={"content-encoding": "gzip"}))
    assert "cannot be unpacked" in await asked.fails(CatalogueError)


async def test_500_is_not_asked_again() -> None:
    asked = Asked(always(500, json={"message": "Internal\nserver\x00 error", "stack": "x"}))
    said = await asked.fails(CatalogueUnavailableError)
    assert "failed with 500 Internal Server Error: Internal server error" in said
    assert (len(asked.requests), asked.pauses) == (1, [])


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_source_is_asked_again_a_little_later(status: int) -> None:
    asked = Asked(always(status))
    await asked.fails(CatalogueUnavailableError)
    assert len(asked.requests) == ATTEMPTS
    first, second = asked.pauses
    assert 0.1 < first < 0.3 < second < 1.2
    well = one_after_the_other(httpx.Response(status), httpx.Response(200, json=1))
    assert await Asked(well).client.json("GET", "/x") == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_what_changes_something_is_sent_once(status: int) -> None:
    asked = Asked(always(status))
    await asked.fails(CatalogueUnavailableError, "POST", body={})
    assert len(asked.requests) == 1
    told = Asked(always(status))
    await told.fails(CatalogueUnavailableError, "POST", body={}, idempotent=True)
    assert len(told.requests) == ATTEMPTS


async def test_retry_after_is_kept_where_there_is_time() -> None:
    soon = httpx.Response(503, headers={"retry-after": "2"})
    asked = Asked(one_after_the_other(soon, httpx.Response(200, json=1)), timeout=30)
    assert await asked.client.json("GET", "/x") == 1
    assert asked.pauses == [2.0]
    late = Asked(always(503, headers={"retry-after": "120"}), timeout=30)
    await late.fails(CatalogueUnavailableError)
    assert (len(late.requests), late.pauses) == (1, [])


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadError("Connection reset by peer"),
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    ],
)
async def test_a_reset_is_tried_again_unless_something_may_have_been_done(
    error: Exception,
) -> None:
    asked = Asked(one_after_the_other(error, error, httpx.Response(200, json=1)))
    assert await asked.client.json("GET", "/x") == 1
    asked = Asked(one_after_the_other(*[error] * ATTEMPTS))
    assert "broke off" in await asked.fails(CatalogueUnavailableError)
    asked = Asked(one_after_the_other(error))
    await asked.fails(CatalogueUnavailableError, "POST", body={})


async def test_what_was_never_sent_is_sent_again() -> None:
    refused = httpx.ConnectError("Connection refused")
    asked = Asked(one_after_the_other(refused, httpx.Response(201, json=1)))
    assert await asked.client.json("POST", "/x", body={}) == 1


async def test_a_wrong_certificate_is_said_and_not_tried_again() -> None:
    wrong = ssl.SSLCertVerificationError(1, "certificate verify failed")
    wrong.verify_message = "self-signed certificate"
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.__cause__ = wrong
    asked = Asked(one_after_the_other(error))
    said = await asked.fails(CatalogueError)
    assert "certificate does not hold: self-signed certificate" in said
    assert "SSL_CERT_FILE" in said


async def test_a_slow_drip_ends_when_the_time_is_over() -> None:
    async def drip() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.Event().wait()

    asked = Asked(always(200, content=drip()), timeout=0.02)
    assert "no answer in 0.02 s" in await asked.fails(CatalogueUnavailableError)
    assert len(asked.requests) == 1


async def test_redirects_within_the_source_are_followed() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/x":
            return httpx.Response(307, headers={"location": "../v2/x?a=b"})
        return httpx.Response(200, json=str(request.url))

    found = await Asked(handler).client.json("GET", "/x", params={"q": "1"})
    assert found == "https://catalogue.example/v2/x?a=b"


async def test_a_redirect_loop() -> None:
    asked = Asked(always(302, headers={"location": "/api/x"}))
    assert "in a circle" in await asked.fails(CatalogueError)
    assert len(asked.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "place",
    [
        "https://elsewhere.example/x?code=hidden",
        "https://elsewhere.example/x#access_token=hidden",
        "https://me:hidden@elsewhere.example/x",
        "https://elsewhere.example/log-in/a-token",
        "http://catalogue.example/api/x",
        "https://catalogue.example:8443/api/x",
        "//elsewhere.example/x",
        "file:///etc/passwd",
        "https://[",
    ],
)
async def test_no_redirect_leads_to_another_place(place: str) -> None:
    asked = Asked(always(302, headers={"location": place}), Tokens("a-token"))
    said = await asked.fails(CatalogueError)
    assert "redirects to" in said
    assert "hidden" not in said
    assert "a-token" not in said
    assert len(asked.requests) == 1


async def test_what_changes_something_follows_no_redirect() -> None:
    asked = Asked(always(307, headers={"location": "/api/y"}))
    await asked.fails(CatalogueError, "POST", body={})
    assert len(asked.requests) == 1


async def test_an_expired_token_is_renewed_once() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        good = request.headers["authorization"] == "Bearer new"
        return httpx.Response(200, json=1) if good else httpx.Response(401)

    tokens = Tokens("old", "new")
    asked = Asked(handler, tokens)
    assert await asked.client.json("POST", "/x", body={}) == 1
    assert (len(asked.requests), tokens.asked) == (2, 2)


@pytest.mark.parametrize("tokens", [("old", "also-old"), ("old", "old"), ("old", None)])
async def test_an_expired_token_that_stays_so(tokens: tuple[str | None, ...]) -> None:
    asked = Asked(always(401, json={"message": "jwt old expired"}), Tokens(*tokens))
    said = await asked.fails(SourceLoginError)
    assert "log in again" in said
    assert len(asked.requests) <= 2


async def test_without_a_token_a_log_in_is_asked_for() -> None:
    assert "asks for a log-in" in await Asked(always(401)).fails(SourceLoginError)


@pytest.mark.parametrize("token", ["", "two words", "line\r\nX-Evil: 1", "ümlaut"])
async def test_a_token_that_is_none_is_not_sent(token: str) -> None:
    asked = Asked(always(200, json=1), Tokens(token))
    await asked.fails(SourceLoginError)
    assert asked.requests == []


async def test_a_refusal_keeps_its_status_and_hides_the_token() -> None:
    asked = Asked(always(400, json={"message": ["bad tok-123", "x" * 5000]}), Tokens("tok-123"))
    with pytest.raises(SourceStatusError) as refused:
        await asked.client.json("GET", "/x")
    assert refused.value.status == 400
    assert "tok-123" not in str(refused.value)
    assert len(str(refused.value)) < 500
    assert "tok-123" not in repr(asked.client)


async def test_another_place_for_the_token_and_another_sign_of_its_end() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.params["sessionId"] == "old":
            return httpx.Response(403, json={"code": "SESSION"})
        return httpx.Response(200, json=request.content.decode())

    asked = Asked(
        handler,
        Tokens("old", "new"),
        authorize=lambda token: Credentials(params={"sessionId": token}),
        expired=lambda status, said: status == 403 and said == {"code": "SESSION"},
    )
    assert await asked.client.json("POST", "/x", form={"a": "b c"}) == "a=b+c"


@pytest.mark.parametrize("path", ["https://elsewhere.example/x", "http://catalogue.example/api/x"])
async def test_links_of_a_source_lead_to_itself_alone(path: str) -> None:
    asked = Asked(always(200, json=1), Tokens("a-token"))
    with pytest.raises(CatalogueError, match=r"^beamline: "):
        await asked.client.json("GET", path)
    assert asked.requests == []
    assert await asked.client.json("GET", f"{URL}/y") == 1


def test_segments() -> None:
    assert segment("20.500/ü?#%") == "20.500%2F%C3%BC%3F%23%25"
    for step in ("", ".", ".."):
        with pytest.raises(DatasetNotFoundError):
            segment(step)


@pytest.mark.parametrize("url", ["https://host:port", "ftp://host", "https:///x", "x"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(CatalogueError, match=r"^beamline: "):
        SourceClient("beamline", url)
