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
from nearfield.testing.catalogue_contract import ALICES, PUBLIC, SEED, a_result

PREFIX = "/services/catalogue"
ACCESS = "access:services!service=catalogue"


class Hub:
    """A hub of a few users; ``asked`` lists the tokens that it saw."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "alice-token": {
                "name": "alice",
                "kind": "user",
                "groups": [],
                "admin": False,
                "scopes": [ACCESS],
            },
            "admin-token": {
                "name": "adm",
                "kind": "user",
                "groups": [],
                "admin": True,
                "scopes": ["access:services", "admin:users"],
            },
            "nogroups-token": {"name": "zoë/x", "kind": "user", "scopes": [ACCESS]},
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


SCOPES_THAT_ARE_NOT_ENOUGH: tuple[object, ...] = (
    *(None, "", "access:services", {ACCESS: 1}, [], ["read:users:name!user=alice"]),
    ["access:servers!user=alice", "self", "inherit", "all", "read:services"],
    ["access:services!service=other", "access:services!service=catalogue2"],
    ["access:services!user=alice", "access:services!service", [ACCESS], None],
)


@pytest.mark.parametrize("scopes", SCOPES_THAT_ARE_NOT_ENOUGH)
@pytest.mark.parametrize("admin", [False, True])
async def test_a_token_that_may_not_access_the_service_opens_nothing(
    client: httpx.AsyncClient, hub: Hub, scopes: object, admin: bool
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


async def test_the_scope_names_the_service(hub: Hub) -> None:
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
        def __init__(self, *_: object, service_name: str) -> None:
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


def a_file(path: str) -> dict[str, object]:
    return {"path": path, "size": 1, "mtime": "2024-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"title": "x" * 1001}, "title"),
        ({"description": "x" * 20_001}, "description"),
        ({"files": [a_file(f"/r/{n}") for n in range(10_001)]}, "files"),
        ({"input_datasets": ["public-1"] * 1001}, "input_datasets"),
        ({"techniques": ["x"] * 1001}, "techniques"),
        ({"used_software": ["x" * 2001]}, "used_software"),
        ({"job_parameters": {"x": "y" * 262_144}}, "job_parameters"),
        (
            {"job_parameters": {"x": "y" * 140_000}, "scientific": {"x": ["é" * 70_000]}},
            "scientific",
        ),
        ({"files": [a_file("r")]}, "files.0.path: not an absolute path"),
        ({"files": [a_file("/a"), a_file("/r/../b")]}, "files.1.path"),
        ({"files": [a_file("/r/a"), a_file("/r")]}, "'/r' is the folder of another file"),
        ({"files": [a_file("/r"), a_file("/r")]}, "'/r' is there twice"),
        ({"source_folder": "results"}, "source_folder: not an absolute path"),
    ],
)
async def test_what_is_too_much_is_refused(
    client: httpx.AsyncClient, store: CatalogueStore, change: dict[str, Any], named: str
) -> None:
    answer = await client.post("/datasets", json={**a_result().model_dump(mode="json"), **change})
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert len(answer.content) < 5000
    assert store.count() == len(SEED)


async def test_what_is_just_not_too_much_is_taken(client: httpx.AsyncClient) -> None:
    change = {
        "title": "x" * 1000,
        "description": "é" * 20_000,
        "files": [a_file(f"/r/{n}") for n in range(10_000)],
        "job_parameters": {"x": "y" * 131_000},
        "scientific": {"x": "y" * 131_000},
    }
    answer = await client.post("/datasets", json={**a_result().model_dump(mode="json"), **change})
    assert answer.status_code == 201
    links = await client.get(f"/datasets/{answer.json()['pid']}/links")
    assert len(links.json()["files"]) == 1000
    assert len(links.content) < 50_000


async def test_a_flood_of_faults_has_a_short_answer(client: httpx.AsyncClient) -> None:
    assert service_module.MAX_BODY <= 4 * 1024 * 1024
    good = a_result().model_dump_json().encode()[:-1]
    keys = ",".join(f'"{number}":0' for number in range(300_000)).encode()
    for flood in (
        b'"files":[' + b"{}," * 1_200_000 + b"{}]",
        b'"files":[{' + keys + b"}]",
        b'"input_datasets":[' + b"0," * 1_900_000 + b"0]",
        b'"techniques":[' + b"0," * 1_900_000 + b"0]",
        keys,
    ):
        start = time.process_time()
        answer = await client.post("/datasets", content=good + b"," + flood + b"}")
        assert answer.status_code == 400
        assert len(answer.content) < 5000
        assert time.process_time() - start < 5
    answer = await client.post("/datasets", content=b" " * (4 * 1024 * 1024 + 1))
    assert answer.status_code == 413


async def test_links_over_http(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/datasets/{ALICES.pid}/links")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "pid": ALICES.pid,
        "slug": ALICES.slug,
        "title": ALICES.title,
        "size": ALICES.size,
        "root": "/data/synthetic/scan_00002.h5",
        "files": ["/data/synthetic/scan_00002.h5"],
    }
    assert (await client.get("/datasets/bob-5%2Ffiles/links")).status_code == 404
    assert (await client.get("/datasets/20.500%2Fchem%2F3/links")).status_code == 404
    assert (await client.get(f"/datasets/{PUBLIC.pid}%2Flinks")).status_code == 404


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

    @pytest.mark.parametrize(
        "change",
        (
            {"files": ["/d/a.h5"] * 1001},
            {"files": ["/d/a.h5", "/d/../etc/passwd"]},
            {"files": ["/d/a.h5", "/e/b.h5"]},
            {"files": ["/d/b.h5", "/d/a.h5"]},
            {"files": ["a.h5"], "root": "a.h5"},
            {"files": []},
            {"slug": "../x"},
            {"size": -1},
            {"paths": []},
            {"access": {}},
        ),
    )
    async def test_links_are_not_taken_on_trust(self, change: dict[str, object]) -> None:
        good: dict[str, object] = {
            "pid": "x",
            "slug": "a-01234567",
            "title": None,
            "size": 1,
            "root": "/d/a.h5",
            "files": ["/d/a.h5", "/d/b/c.h5"],
        }
        found = await self.make(lambda request: httpx.Response(200, json=good)).links("x")
        assert found.root == "/d/a.h5"
        assert found.paths == ("/d/a.h5", "/d/b/c.h5")
        with pytest.raises(CatalogueError, match="not a catalogue's"):
            await self.make(lambda request: httpx.Response(200, json=good | change)).links("x")

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
