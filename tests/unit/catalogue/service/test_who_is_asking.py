"""Tokens: whose they are, what they open, what a hub that is away means."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from nearfield.catalogue import service as service_module
from nearfield.catalogue._hub_auth import (
    CACHE_SECONDS,
    CACHE_SIZE,
    HubAuthenticator,
    NotLoggedInError,
)
from nearfield.errors import (
    DatasetNotPermittedError,
)
from nearfield.testing.catalogue_contract import PUBLIC, a_result
from nearfield.testing.fake_hub import ACCESS, FakeHub


class TestWhoIsAsking:
    async def test_the_hub_tells_name_groups_and_admin(
        self, authenticator: HubAuthenticator
    ) -> None:
        alice = await authenticator.principal("token alice-token")
        assert (alice.name, alice.groups, alice.admin) == ("alice", {"unix"}, False)
        assert (await authenticator.principal("bearer admin-token")).admin

    async def test_groups_that_the_token_may_not_tell(
        self, authenticator: HubAuthenticator
    ) -> None:
        assert (await authenticator.principal("Bearer nogroups-token")).groups == {"chemists"}

    async def test_an_answer_counts_for_thirty_seconds(
        self, authenticator: HubAuthenticator, hub: FakeHub, clock: list[float]
    ) -> None:
        assert CACHE_SECONDS <= 30
        await authenticator.principal("Bearer alice-token")
        clock[0] += CACHE_SECONDS - 1
        await authenticator.principal("Bearer alice-token")
        assert hub.asked == ["alice-token"]
        del hub.answers["alice-token"]
        clock[0] += 1
        with pytest.raises(NotLoggedInError):
            await authenticator.principal("Bearer alice-token")
        assert len(hub.asked) == 2

    async def test_the_memory_is_bounded_and_holds_no_token(
        self, authenticator: HubAuthenticator, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nearfield.catalogue._hub_auth.CACHE_SIZE", 10)
        assert CACHE_SIZE < 100_000
        for number in range(50):
            hub.answers[f"t{number}"] = hub.answers["alice-token"]
            await authenticator.principal(f"Bearer t{number}")
        assert len(authenticator._known) == 10
        assert b"t49" not in b"".join(authenticator._known)

    async def test_refusals_are_not_remembered(
        self, authenticator: HubAuthenticator, hub: FakeHub, client: httpx.AsyncClient
    ) -> None:
        headers = {"authorization": "Bearer late"}
        assert (await client.get("/datasets", headers=headers)).status_code == 401
        hub.answers["late"] = hub.answers["alice-token"]
        assert (await client.get("/datasets", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "header",
    (
        *("", "Bearer", "Bearer ", "Basic YTpi", "alice-token", "Bearer wrong", "Bearer a b"),
        *("Bearer nameless-token", "Bearer " + "x" * 5000),
    ),
)
async def test_without_a_good_token_there_is_nothing(
    client: httpx.AsyncClient, header: str
) -> None:
    for path in (
        "/datasets",
        "/facets",
        f"/datasets/{PUBLIC.pid}",
        f"/datasets/{PUBLIC.pid}/files",
    ):
        answer = await client.get(path, headers={"authorization": header})
        assert answer.status_code == 401
        assert set(answer.json()) == {"error", "hint"}
        assert "token of yours" in answer.json()["hint"]
    assert (await client.post("/datasets", headers={"authorization": header})).status_code == 401


async def test_a_cookie_is_no_token(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    answer = await client.get("/datasets", headers={"cookie": "jupyterhub-services=alice-token"})
    assert answer.status_code == 401


SCOPES_THAT_ARE_NOT_ENOUGH: tuple[object, ...] = (
    *(None, "", "access:services", {ACCESS: 1}, [], ["read:users:name!user=alice"]),
    ["access:servers!user=alice", "self", "inherit", "all", "read:services"],
    ["access:services!service=other", "access:services!service=catalogue2"],
    ["access:services!user=alice", "access:services!service", [ACCESS], None],
)


@pytest.mark.parametrize("scopes", SCOPES_THAT_ARE_NOT_ENOUGH)
@pytest.mark.parametrize("admin", [False, True])
async def test_a_token_that_may_not_access_the_service_opens_nothing(
    client: httpx.AsyncClient, hub: FakeHub, scopes: object, admin: bool
) -> None:
    hub.answers["weak"] = {**hub.answers["alice-token"], "admin": admin, "scopes": scopes}
    headers = {"authorization": "Bearer weak"}
    for path in ("", "/alice-2", "/alice-2/files", "/alice-2/links"):
        answer = await client.get(f"/datasets{path}", headers=headers)
        assert answer.status_code == 403
        assert set(answer.json()) == {"error", "hint"}
        assert ACCESS in answer.json()["error"]
        assert "new token" in answer.json()["hint"]
        assert "restart your server" in answer.json()["hint"]
    assert (await client.get("/facets", headers=headers)).status_code == 403
    wanted = a_result().model_dump(mode="json")
    assert (await client.post("/datasets", json=wanted, headers=headers)).status_code == 403
    # Given the scope, the same token works at once: refusals are not remembered.
    hub.answers["weak"]["scopes"] = ["access:servers!user=alice", ACCESS]
    assert (await client.get("/datasets", headers=headers)).status_code == 200
    hub.answers["strong"] = {**hub.answers["weak"], "scopes": ["access:services"]}
    headers = {"authorization": "Bearer strong"}
    assert (await client.get("/datasets", headers=headers)).status_code == 200


async def test_the_scope_names_the_service(hub: FakeHub) -> None:
    named = HubAuthenticator(
        "http://hub.test/hub/api",
        service_name="datasets",
        transport=httpx.MockTransport(hub),
        groups_of=lambda name: frozenset(),
    )
    with pytest.raises(DatasetNotPermittedError, match="access:services!service=datasets"):
        await named.principal("Bearer alice-token")
    hub.answers["alice-token"]["scopes"] = ["access:services!service=datasets"]
    assert (await named.principal("Bearer alice-token")).name == "alice"
    await named.aclose()


@pytest.mark.parametrize(("said", "name"), [(None, "catalogue"), ("", "catalogue"), ("d2", "d2")])
def test_the_services_name_is_the_hubs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, name: str
) -> None:
    made: list[str] = []

    class Noted(HubAuthenticator):
        def __init__(self, *_: object, service_name: str, **_more: object) -> None:
            made.append(service_name)
            raise KeyboardInterrupt

    monkeypatch.setattr(service_module, "HubAuthenticator", Noted)
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://127.0.0.1:9/hub/api")
    monkeypatch.delenv("JUPYTERHUB_SERVICE_NAME", raising=False)
    if said is not None:
        monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", said)
    with pytest.raises(KeyboardInterrupt):
        service_module.serve(tmp_path / "c.sqlite", "x", "127.0.0.1:1")
    assert made == [name]


async def test_a_service_is_not_the_user_of_its_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/datasets", headers={"authorization": "Bearer service-token"})
    assert answer.status_code == 403


@pytest.mark.parametrize("down", [500, 502, 429, 302, httpx.ConnectError("refused")])
async def test_a_hub_that_does_not_answer(
    client: httpx.AsyncClient, hub: FakeHub, down: int | Exception
) -> None:
    hub.down = down
    answer = await client.get("/datasets")
    assert answer.status_code == 503
    assert "hub" in answer.json()["error"]
    assert "alice-token" not in answer.text
    assert (await client.get("/health")).status_code == 200
