"""Log-ins: tokens that expire, functional accounts, exchange; no secret is shown anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from nearfield.catalogue._http import SourceClient
from nearfield.catalogue.scicat import SciCatCatalogue
from nearfield.catalogue.scicat.accounts import AccountTokens, ExchangedTokens, read_account
from nearfield.catalogue.scicat.identity import SURE, SureTokens
from nearfield.config import SciCatSource, parse_config
from nearfield.errors import CatalogueError, ConfigError, SourceLoginError
from nearfield.querying import Query
from nearfield.testing.catalogue_contract import ALICES, a_result
from nearfield.testing.fake_scicat import FakeSciCat
from sourcelab.scicat import URL, checked, filled


class Tokens:
    """Gives ``tokens`` one after the other, a new one whenever a fresh one is asked for."""

    def __init__(self, *tokens: str | None) -> None:
        self.tokens, self.fresh = list(tokens), 0

    async def token(self, *, fresh: bool = False) -> str | None:
        if fresh:
            self.fresh += 1
            self.tokens = self.tokens[1:] or self.tokens
        return self.tokens[0]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def catalogue(fake: FakeSciCat, tokens: Any = None, **settings: Any) -> SciCatCatalogue:
    source = SciCatSource.model_validate({"driver": "scicat", "url": URL, **settings})
    return SciCatCatalogue.from_settings("beamline", source, token=tokens, transport=checked(fake))


def plain(fake: FakeSciCat) -> SourceClient:
    return SourceClient("beamline", URL, transport=checked(fake))


@pytest.mark.parametrize("v4", [True, False])
async def test_an_expired_token_is_renewed(v4: bool) -> None:
    tokens = Tokens("expired", "token-of-alice")
    found = await catalogue(filled(v4=v4), tokens).search(Query(text="thin film"))
    assert [one.pid for one in found.datasets] == [ALICES.pid]
    assert tokens.fresh == 1


@pytest.mark.parametrize("v4", [True, False])
@pytest.mark.parametrize("given", [("expired",), ("expired", None), ("expired", "also")])
async def test_an_expired_token_is_never_nobody(v4: bool, given: tuple[str | None, ...]) -> None:
    """The backend would answer as to strangers; the user is told to log in again instead."""
    asked = catalogue(filled(v4=v4), Tokens(*given))
    for call in (
        asked.search(Query()),
        asked.facets(Query()),
        asked.get("public-1"),
        asked.files("public-1"),
        asked.thumbnail("public-1"),
        asked.derive(a_result()),
    ):
        with pytest.raises(SourceLoginError, match=r"(?s)^beamline: .*log in again") as refused:
            await call
        assert "expired-" not in str(refused.value)


async def test_a_token_that_ends_between_two_questions(scicat: FakeSciCat) -> None:
    tokens = Tokens("token-of-alice", "token-2-of-alice")
    asked = catalogue(scicat, tokens)
    await asked.get(ALICES.pid)
    scicat.expire()
    scicat.tokens["token-2-of-alice"] = "alice"
    assert (await asked.search(Query(text="thin film"))).total == 1
    assert tokens.fresh == 1


async def test_a_refusal_for_other_reasons_is_no_log_in(scicat: FakeSciCat) -> None:
    tokens = Tokens("token-of-alice")
    asked = catalogue(scicat, tokens)
    with pytest.raises(CatalogueError, match="no dataset"):
        await asked.get("bob-5/files")
    assert tokens.fresh == 0


async def test_it_is_asked_once_a_minute_who_one_is(scicat: FakeSciCat) -> None:
    clock = Clock()
    sure = SureTokens(plain(scicat), Tokens("token-of-alice"), clock=clock)
    for _ in range(5):
        assert await sure.token() == "token-of-alice"
    assert (await sure.account()).principal.name == "alice"
    assert scicat.requests == [("GET", "/api/v3/auth/whoami")]
    clock.now += SURE
    await sure.token()
    assert len(scicat.requests) == 2


async def test_the_identity_providers_token_is_exchanged(scicat: FakeSciCat) -> None:
    clock = Clock()
    given = Tokens("id-token-of-alice", "id-token-of-bob")
    tokens = ExchangedTokens(plain(scicat), given, clock=clock)
    first = await tokens.token()
    assert first == await tokens.token() == "token-1-of-alice"
    # A minute before its end it is no longer used; the provider's is good still.
    clock.now += scicat.seconds - 59
    assert await tokens.token() == "token-2-of-alice"
    assert given.fresh == 0
    assert await tokens.token(fresh=True) == "token-3-of-bob"


async def test_a_backend_without_exchange_gets_the_token_as_it_is() -> None:
    tokens = ExchangedTokens(plain(filled(exchanges=False)), Tokens("token-of-alice"))
    assert await tokens.token() == "token-of-alice"


async def test_a_token_that_is_not_exchanged(scicat: FakeSciCat) -> None:
    tokens = ExchangedTokens(plain(scicat), Tokens("id-token-of-nobody"))
    with pytest.raises(SourceLoginError, match="log in again") as refused:
        await tokens.token()
    assert "id-token" not in str(refused.value)


async def test_through_the_hub(scicat: FakeSciCat) -> None:
    asked = catalogue(scicat, Tokens("id-token-of-alice"), token="hub")
    assert (await asked.get(ALICES.pid)).title == ALICES.title


def account(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "account.yaml"
    file.write_text(text)
    file.chmod(mode)
    return file


GOOD = "username: alice\npassword: secret\n"


async def test_a_functional_account(scicat: FakeSciCat, tmp_path: Path) -> None:
    asked = catalogue(scicat, account=account(tmp_path, GOOD))
    pid = await asked.derive(a_result())
    made = await asked.get(pid)
    assert made.access.owner == "alice"
    # A token that ended is replaced without anybody.
    scicat.expire()
    assert (await asked.get(pid)).pid == pid
    assert scicat.logins == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SourceLoginError, match="chmod 600"):
        read_account("beamline", account(tmp_path, GOOD, mode))


@pytest.mark.parametrize(
    "text",
    ["", "username: a", "- secret", "password: secret", "username: 1\npassword: 2", "{[", "\0"],
)
def test_a_file_that_says_something_else(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceLoginError, match="does not hold") as refused:
        read_account("beamline", account(tmp_path, text))
    assert "secret" not in str(refused.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceLoginError, match="No such file"):
        read_account("beamline", tmp_path / "none")


async def test_a_wrong_password(scicat: FakeSciCat, tmp_path: Path) -> None:
    tokens = AccountTokens(plain(scicat), account(tmp_path, "username: alice\npassword: hidden"))
    with pytest.raises(SourceLoginError, match="refused") as refused:
        await tokens.token()
    assert "hidden" not in str(refused.value)
    assert refused.value.__suppress_context__


async def test_nothing_of_a_log_in_is_shown(scicat: FakeSciCat, tmp_path: Path) -> None:
    asked = catalogue(scicat, account=account(tmp_path, GOOD))
    await asked.search(Query())
    shown = repr([asked, asked._logins, asked._client, vars(asked)])
    assert "secret" not in shown
    assert "token-1" not in shown


@pytest.mark.parametrize("token", ["hub", "file"])
def test_an_account_or_a_token(token: str) -> None:
    text = (
        "catalogues:\n  facility:\n    driver: scicat\n    url: https://scicat.example\n"
        f"    account: /etc/account.yaml\n    token: {token}\n"
    )
    with pytest.raises(ConfigError, match="give one of them"):
        parse_config(text, "nearfield.yaml")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text='[{"pid": '),
        httpx.Response(302, headers={"location": "/api/v4/datasets"}),
        httpx.Response(200, content=b" " * 10_000_000),
        httpx.Response(200, json={"not": "a list"}),
        httpx.Response(200, json=[{"count": "many"}]),
    ],
)
async def test_a_source_that_is_out_of_order_is_named(answer: httpx.Response) -> None:
    source = SciCatSource.model_validate({"driver": "scicat", "url": URL})
    transport = httpx.MockTransport(lambda request: answer)
    asked = SciCatCatalogue.from_settings("beamline", source, transport=transport)
    for call in (asked.search, asked.facets):
        with pytest.raises(CatalogueError, match=r"^beamline: "):
            await call(Query())
    for one in (asked.get, asked.files, asked.thumbnail):
        with pytest.raises(CatalogueError, match=r"^beamline: "):
            await one("x")
