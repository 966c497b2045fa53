"""The service: who is asking, what comes back, and what goes wrong between the two."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from nearfield.catalogue import CatalogueStore, ServiceCatalogue
from nearfield.catalogue import service as service_module
from nearfield.catalogue._hub_auth import (
    CACHE_SECONDS,
    CACHE_SIZE,
    HubAuthenticator,
    NotLoggedInError,
)
from nearfield.catalogue.service import make_app
from nearfield.datasets import Query
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotPermittedError,
    UsageError,
)
from nearfield.testing.catalogue_contract import PUBLIC, SEED, a_result

PREFIX = "/services/catalogue"


class Hub:
    """A hub of a few users; ``asked`` lists the tokens that it saw."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "alice-token": {"name": "alice", "kind": "user", "groups": [], "admin": False},
            "admin-token": {"name": "adm", "kind": "user", "groups": [], "admin": True},
            "nogroups-token": {"name": "zoë/x", "kind": "user"},
            "service-token": {"name": "alice", "kind": "service", "admin": True},
            "nameless-token": {"kind": "user"},
        }
        self.down: int | Exception | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.asked.append(token)
        if isinstance(self.down, Exception):
            raise self.down
        if self.down is not None:
            return httpx.Response(self.down)
        path = request.url.raw_path.decode()
        if path == "/hub/api/users/zo%C3%AB%2Fx":
            assert token == "own-token"
            return httpx.Response(200, json={"name": "zoë/x", "groups": ["chemists"]})
        assert path == "/hub/api/user"
        if token not in self.answers:
            return httpx.Response(403, json={"message": "Forbidden"})
        return httpx.Response(200, json=self.answers[token])


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
async def authenticator(hub: Hub, clock: list[float]) -> AsyncIterator[HubAuthenticator]:
    made = HubAuthenticator(
        "http://hub.test/hub/api",
        "own-token",
        transport=httpx.MockTransport(hub),
        clock=lambda: clock[0],
        groups_of=lambda name: frozenset({"unix"} if name == "alice" else ()),
    )
    yield made
    await made.aclose()


@pytest.fixture
async def client(
    store: CatalogueStore, authenticator: HubAuthenticator
) -> AsyncIterator[httpx.AsyncClient]:
    store.register(SEED)
    transport = httpx.ASGITransport(make_app(store, authenticator, PREFIX + "/"))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://c.test{PREFIX}") as made:
        made.headers["authorization"] = "Bearer alice-token"
        yield made


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
        self, authenticator: HubAuthenticator, hub: Hub, clock: list[float]
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
        self, authenticator: HubAuthenticator, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nearfield.catalogue._hub_auth.CACHE_SIZE", 10)
        assert CACHE_SIZE < 100_000
        for number in range(50):
            hub.answers[f"t{number}"] = hub.answers["alice-token"]
            await authenticator.principal(f"Bearer t{number}")
        assert len(authenticator._known) == 10
        assert b"t49" not in b"".join(authenticator._known)

    async def test_refusals_are_not_remembered(
        self, authenticator: HubAuthenticator, hub: Hub, client: httpx.AsyncClient
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


async def test_a_service_is_not_the_user_of_its_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/datasets", headers={"authorization": "Bearer service-token"})
    assert answer.status_code == 403


@pytest.mark.parametrize("down", [500, 502, 429, 302, httpx.ConnectError("refused")])
async def test_a_hub_that_does_not_answer(
    client: httpx.AsyncClient, hub: Hub, down: int | Exception
) -> None:
    hub.down = down
    answer = await client.get("/datasets")
    assert answer.status_code == 503
    assert "hub" in answer.json()["error"]
    assert "alice-token" not in answer.text
    assert (await client.get("/health")).status_code == 200


async def test_an_admin_sees_all(client: httpx.AsyncClient) -> None:
    answer = await client.get("/datasets", headers={"authorization": "Bearer admin-token"})
    assert answer.json()["total"] == len(SEED)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=100000", "limit"),
        ("offset=-1", "offset"),
        ("type=both", "type"),
        ("since=yesterday", "since"),
        ("user=bob", "user: unknown name"),
        ("text=a&text=b", "text: given twice"),
        ("text=" + "x+" * 100, "words"),
    ],
)
async def test_bad_queries_name_the_field(
    client: httpx.AsyncClient, query: str, named: str
) -> None:
    for path in ("/datasets", "/facets"):
        answer = await client.get(f"{path}?{query}")
        assert answer.status_code == 400
        assert named in answer.json()["error"]


async def test_bad_bodies_name_the_field(client: httpx.AsyncClient) -> None:
    good = a_result().model_dump(mode="json")
    for change, named in (
        ({"run_id": "x"}, "run_id"),
        ({"input_datasets": []}, "input_datasets"),
        ({"owner": "bob"}, "owner: unknown name"),
        ({"files": [{"path": "/a", "size": -1, "mtime": "2024-01-01T00:00:00Z"}]}, "files.0.size"),
    ):
        answer = await client.post("/datasets", json={**good, **change})
        assert answer.status_code == 400
        assert named in answer.json()["error"]
    for body in (b"", b"{", b"[]", b'{"a": 1e400}', b"\xff", b'"\\ud800"'):
        assert (await client.post("/datasets", content=body)).status_code == 400


async def test_a_body_is_read_no_further_than_the_limit(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MAX_BODY", 1000)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000:
            sent += 100
            yield b"x" * 100

    answer = await client.post("/datasets", content=endless())
    assert answer.status_code == 413
    assert sent < 5000


async def test_derive_over_http(client: httpx.AsyncClient) -> None:
    wanted = a_result().model_dump(mode="json")
    answer = await client.post("/datasets", json=wanted)
    assert answer.status_code == 201
    pid = answer.json()["pid"]
    assert (await client.post("/datasets", json=wanted)).json() == {"pid": pid}
    assert (await client.post("/datasets", json={**wanted, "title": "x"})).status_code == 409
    hidden = {**wanted, "run_id": "run-00000009", "input_datasets": ["bob-5/files"]}
    refused = await client.post("/datasets", json=hidden)
    assert refused.status_code == 404
    files = (await client.get(f"/datasets/{pid}/files")).json()
    assert files == wanted["files"]


async def test_a_crash_is_json_too(
    store: CatalogueStore, authenticator: HubAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(service_module.SqliteCatalogue, "_search", broken)
    app = make_app(store, authenticator)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://c.test") as client:
        answer = await client.get("/datasets", headers={"authorization": "token alice-token"})
    assert answer.status_code == 500
    assert "secret" not in answer.json()["error"]


async def test_routes_that_are_none(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nothing")).status_code == 404
    assert (await client.delete("/datasets")).status_code == 405
    assert set((await client.get("/nothing")).json()) == {"error", "hint"}
    assert (await client.get("http://c.test/datasets")).status_code == 404
    assert (await client.get("/datasets/")).status_code in (404, 307)


class TestClient:
    def make(self, handler: Callable[[httpx.Request], httpx.Response]) -> ServiceCatalogue:
        return ServiceCatalogue(
            "http://c.test/x/", "sekrit", transport=httpx.MockTransport(handler)
        )

    async def test_the_token_is_in_no_text(self) -> None:
        catalogue = self.make(lambda request: httpx.Response(500))
        with pytest.raises(CatalogueError) as failed:
            await catalogue.search(Query())
        assert "sekrit" not in repr(catalogue) + str(failed.value) + str(vars(catalogue))

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, UsageError),
            (401, CatalogueError),
            (403, DatasetNotPermittedError),
            (409, CatalogueError),
            (500, CatalogueError),
            (502, CatalogueUnavailableError),
            (503, CatalogueUnavailableError),
        ],
    )
    async def test_errors_come_back_as_they_were(self, status: int, kind: type[Exception]) -> None:
        catalogue = self.make(
            lambda request: httpx.Response(status, json={"error": "what", "hint": "why"})
        )
        with pytest.raises(kind, match="what") as failed:
            await catalogue.get("x")
        assert getattr(failed.value, "hint", None) == "why"

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(200, text="<html>login</html>"),
            httpx.Response(200, json={"datasets": 1}),
            httpx.Response(404, text="not found"),
            httpx.Response(302, headers={"location": "/hub/login"}),
        ],
    )
    async def test_something_else_at_that_url(self, answer: httpx.Response) -> None:
        catalogue = self.make(lambda request: answer)
        with pytest.raises(CatalogueError) as failed:
            await catalogue.get("x")
        assert type(failed.value) is CatalogueError
        assert "catalogue.url" in (failed.value.hint or "")

    async def test_no_answer(self) -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectTimeout("")

        with pytest.raises(CatalogueUnavailableError, match="ConnectTimeout"):
            await self.make(refuse).files("x")


def test_addresses() -> None:
    assert service_module._address("http://127.0.0.1:10202") == ("127.0.0.1", 10202)
    assert service_module._address("localhost:1") == ("localhost", 1)
    assert service_module._address("http://[::1]:80") == ("::1", 80)
    for wrong in ("", "localhost", "x:y", "http://127.0.0.1", ":80", "1.2.3.4:99999"):
        with pytest.raises(UsageError):
            service_module._address(wrong)


@pytest.mark.enable_socket
def test_serving_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/catalogue/",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}",
    }
    argv = [sys.executable, "-m", "nearfield", "catalogue", "serve"]
    with subprocess.Popen(
        [*argv, "--catalogue", str(tmp_path / "c.sqlite")],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        assert f"served at http://127.0.0.1:{port}/services/catalogue/" in line
        url = f"http://127.0.0.1:{port}/services/catalogue"
        assert httpx.get(f"{url}/health", trust_env=False).json() == {"status": "ok"}
        assert httpx.get(f"{url}/datasets", trust_env=False).status_code == 401
        start = time.monotonic()
        server.send_signal(signal.SIGTERM)
        rest = server.stderr.read()
        assert server.wait(timeout=20) == 0
        assert rest == ""
        assert time.monotonic() - start < 10


def test_serving_outside_of_a_hub_is_explained(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = run("catalogue", "serve", "--catalogue", tmp_path / "c.sqlite", JUPYTERHUB_API_URL="")
    assert done.returncode == 3
    assert "JUPYTERHUB_API_URL" in done.stderr
