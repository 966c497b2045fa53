"""Requests over HTTP: what comes back, what is refused, how much is too much."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue import service as service_module
from nearfield.catalogue._hub_auth import (
    HubAuthenticator,
)
from nearfield.catalogue.service import make_app
from nearfield.testing.catalogue_contract import ALICES, PUBLIC, SEED, a_result


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
        "elsewhere": [],
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
