"""Log-ins to an ICAT: renewed once, told in words, and in nobody's log."""

from __future__ import annotations

import json
import logging

import httpx
import pytest

from nearfield.catalogue.icat import IcatCatalogue
from nearfield.errors import CatalogueError, SourceLoginError
from nearfield.querying import Query
from nearfield.testing.catalogue_contract import ALICE, ANONYMOUS, a_result
from nearfield.testing.fake_icat import FakeIcat
from sourcelab.icat import Token, driver, filled, settings


def log_ins(icat: FakeIcat) -> int:
    return sum((one.method, one.url.path) == ("POST", "/icat/session") for one in icat.requests)


async def test_one_session_for_many_questions() -> None:
    icat, _ = filled()
    catalogue = driver(ALICE, icat)
    for _ in range(3):
        await catalogue.search(Query())
    await catalogue.facets(Query())
    assert log_ins(icat) == 1
    await catalogue.aclose()
    assert icat.sessions == {}


async def test_an_expired_session_is_renewed_once() -> None:
    icat, names = filled()
    catalogue = driver(ALICE, icat)
    await catalogue.get(names["alice-2"])
    icat.expire()
    await catalogue.get(names["alice-2"])
    # Two questions at once found it expired: at most one log-in each.
    assert 2 <= log_ins(icat) <= 3
    icat.expire()
    pid = await catalogue.derive(a_result(input_datasets=(names["alice-2"],)))
    assert (await catalogue.get(pid)).run_id == "run-00000001"


async def test_a_session_that_never_holds_is_not_renewed_for_ever() -> None:
    icat, _ = filled()

    def answer(request: httpx.Request) -> httpx.Response:
        found = icat.answer(request)
        icat.expire()
        return found

    catalogue = IcatCatalogue.from_settings(
        "icat", settings(), token=Token("token-of-alice"), transport=httpx.MockTransport(answer)
    )
    with pytest.raises(SourceLoginError, match="icat: the log-in"):
        await catalogue.thumbnail("icat:ESS:1")
    assert log_ins(icat) <= 3


async def test_a_refused_token_is_asked_for_anew_and_then_told() -> None:
    icat, _ = filled()
    token = Token("s3cret-nobodys")
    catalogue = IcatCatalogue.from_settings(
        "icat", settings(), token=token, transport=icat.transport
    )
    with pytest.raises(SourceLoginError) as refused:
        await catalogue.search(Query())
    assert token.asked[:2] == [False, True]
    assert "icat" in str(refused.value)
    assert "log in again" in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(catalogue)


async def test_one_that_repeats_what_was_sent_while_it_fails() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, json={"message": f"no: {request.content.decode()}"})

    catalogue = IcatCatalogue.from_settings(
        "icat", settings(), token=Token("s3cret-of-alice"), transport=httpx.MockTransport(answer)
    )
    with pytest.raises(CatalogueError) as failed:
        await catalogue.search(Query())
    assert "500" in str(failed.value)
    assert "s3cret" not in str(failed.value) + repr(failed.value)


async def test_a_password_of_an_account() -> None:
    icat, names = filled()
    catalogue = IcatCatalogue.from_settings(
        "icat",
        settings(authenticator="db", username="alice"),
        token=Token("password-of-alice"),
        transport=icat.transport,
    )
    assert (await catalogue.get(names["alice-2"])).pid == names["alice-2"]


async def test_nobody_sees_what_is_public() -> None:
    icat, names = filled()
    catalogue = driver(ANONYMOUS, icat)
    found = {one.pid for one in (await catalogue.search(Query())).datasets}
    assert found == {names["public-1"], names["lapsed-30"]}


async def test_an_authenticator_that_it_does_not_have() -> None:
    icat, _ = filled()
    catalogue = driver(ALICE, icat, authenticator="ldap")
    with pytest.raises(SourceLoginError, match="'ldap'"):
        await catalogue.search(Query())


async def test_sessions_are_in_no_log_and_no_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    icat, names = filled()
    catalogue = driver(ALICE, icat)
    await catalogue.search(Query())
    (session,) = icat.sessions
    wrong = IcatCatalogue.from_settings(
        "icat",
        settings(),
        token=Token("token-of-alice"),
        transport=httpx.MockTransport(
            lambda request: (
                httpx.Response(200, json={"sessionId": session})
                if request.method == "POST"
                else httpx.Response(
                    400, json={"code": "BAD_PARAMETER", "message": str(request.url)}
                )
            )
        ),
    )
    with pytest.raises(CatalogueError) as refused:
        await wrong.get(names["public-1"])
    await catalogue.aclose()
    assert session not in str(refused.value)
    assert "sessionId" in caplog.text
    assert session not in caplog.text


@pytest.mark.parametrize(
    "said", [{}, {"sessionId": ""}, {"sessionId": 7}, {"sessionId": "a b"}, [], "x"]
)
async def test_a_log_in_without_a_session(said: object) -> None:
    catalogue = IcatCatalogue.from_settings(
        "icat",
        settings(),
        token=Token("t"),
        transport=httpx.MockTransport(
            lambda request: httpx.Response(200, content=json.dumps(said).encode())
        ),
    )
    with pytest.raises(CatalogueError, match="icat: a log-in without a session id"):
        await catalogue.search(Query())
