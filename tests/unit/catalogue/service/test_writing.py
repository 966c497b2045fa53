"""The write API: who may register, replace and delete, what is refused, what is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from nearfield.catalogue import CatalogueStore, ServiceCatalogue
from nearfield.catalogue._hub_auth import HubAuthenticator
from nearfield.catalogue.service import make_app
from nearfield.catalogue.serving.announced import Announcements, Selection
from nearfield.config.serving import ServeConfig
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueError, DatasetNotFoundError, DatasetNotPermittedError
from nearfield.testing.catalogue_contract import ALICES, BOBS, PUBLIC, SEED, a_result
from nearfield.testing.fake_hub import ACCESS, PREFIX, FakeHub
from nearfield.testing.synthetic import synthetic_dataset

WRITER = {"authorization": "Bearer writer-token"}
RECORD: dict[str, Any] = {
    "title": "Beam profile",
    "techniques": ["NXsas"],
    "instrument": "ID10",
    "start_time": "2024-05-01T10:00:00+02:00",
    "files": [{"path": "/data/a.h5", "size": 7, "mtime": "2024-05-01T10:00:00Z"}],
    "access": {"owner": "bob", "owner_group": "physicists"},
    "scientific": {"energy": {"value": 8, "unit": "keV"}},
}


@pytest.fixture
async def service(
    store: CatalogueStore, hub: FakeHub, authenticator: HubAuthenticator
) -> AsyncIterator[httpx.ASGITransport]:
    hub.answers["writer-token"] = {
        "name": "ingestor",
        "kind": "user",
        "groups": ["ingest"],
        "scopes": [ACCESS],
    }
    store.register(SEED)
    yield httpx.ASGITransport(
        make_app(store, authenticator, PREFIX + "/", serve=ServeConfig(writers=("ingest",)))
    )


@pytest.fixture
async def client(service: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=service, base_url=f"http://c.test{PREFIX}") as made:
        made.headers["authorization"] = "Bearer alice-token"
        yield made


async def test_a_writer_registers_and_replaces(
    client: httpx.AsyncClient, store: CatalogueStore
) -> None:
    path = "/datasets/20.500%2Fnew"
    assert (await client.put(path, json=RECORD, headers=WRITER)).status_code == 201
    answer = await client.put(path, json={**RECORD, "title": "New"}, headers=WRITER)
    assert (answer.status_code, answer.json()) == (200, {"pid": "20.500/new"})
    admin = {"authorization": "Bearer admin-token"}
    made = (await client.get(path, headers=admin)).json()
    assert (made["title"], made["size"], made["type"]) == ("New", 7, "raw")
    assert made["access"]["owner"] == "bob"
    # A writer writes; it sees no more than others do.
    assert (await client.get(path, headers=WRITER)).status_code == 404


async def test_only_writers_and_admins_register(client: httpx.AsyncClient) -> None:
    for pid in ("new", PUBLIC.pid, ALICES.pid, BOBS.pid.replace("/", "%2F")):
        answer = await client.put(f"/datasets/{pid}", json=RECORD)
        assert answer.status_code == 403
        assert "writers" in answer.json()["hint"]
    for token in ("", "Bearer wrong", "Bearer service-token"):
        answer = await client.put("/datasets/new", json=RECORD, headers={"authorization": token})
        assert answer.status_code in (401, 403)
    admin = {"authorization": "Bearer admin-token"}
    assert (await client.put("/datasets/new", json=RECORD, headers=admin)).status_code == 201


async def test_only_new_ones_where_that_is_asked_for(client: httpx.AsyncClient) -> None:
    headers = {**WRITER, "if-none-match": "*"}
    assert (await client.put("/datasets/new", json=RECORD, headers=headers)).status_code == 201
    assert (await client.put("/datasets/new", json=RECORD, headers=headers)).status_code == 412
    headers["if-none-match"] = '"abc"'
    assert (await client.put("/datasets/new", json=RECORD, headers=headers)).status_code == 400


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pid": "other"}, "pid"),
        ({"type": "derived"}, "type"),
        ({"run_id": "run-00000001"}, "run_id: unknown name"),
        ({"input_datasets": ["x"]}, "input_datasets: unknown name"),
        ({"title": "x" * 1001}, "title"),
        ({"title": 7}, "title"),
        ({"description": "x" * 20_001}, "description"),
        ({"keywords": ["x"] * 1001}, "keywords"),
        ({"files": [{"path": "a.h5", "size": 1, "mtime": "2024-01-01T00:00:00Z"}]}, "files.0.path"),
        ({"files": [{"path": "/a/../b", "size": 1, "mtime": "2024-01-01T00:00:00Z"}]}, "files.0"),
        ({"landing_page": "javascript:alert(1)"}, "landing_page"),
        ({"source_folder": "data"}, "source_folder"),
        ({"scientific": {"x": "y" * 300_000}}, "scientific"),
        ({"access": {}}, "nobody could see it"),
        ({"access": {"owner": "bob", "admin": True}}, "access.admin"),
        ({"start_time": "soon"}, "start_time"),
    ],
)
async def test_what_does_not_fit_is_named(
    client: httpx.AsyncClient, store: CatalogueStore, change: dict[str, Any], named: str
) -> None:
    answer = await client.put("/datasets/new", json={**RECORD, **change}, headers=WRITER)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert store.count() == len(SEED)


async def test_odd_addresses(client: httpx.AsyncClient) -> None:
    for pid in ("%20", "%C3%A4", "x" * 401):
        answer = await client.put(f"/datasets/{pid}", json=RECORD, headers=WRITER)
        assert answer.status_code == 400
    for part in ("files", "links", "thumbnail"):
        answer = await client.put(f"/datasets/new/{part}", json=RECORD, headers=WRITER)
        assert answer.status_code == 405
        assert (await client.delete(f"/datasets/new/{part}", headers=WRITER)).status_code == 405
    for body in (b"", b"[]", b"{", b"\xff"):
        answer = await client.put("/datasets/new", content=body, headers=WRITER)
        assert answer.status_code == 400


async def test_a_result_is_never_replaced(client: httpx.AsyncClient) -> None:
    made = (await client.post("/datasets", json=a_result().model_dump(mode="json"))).json()["pid"]
    answer = await client.put(f"/datasets/{made}", json=RECORD, headers=WRITER)
    assert answer.status_code == 409
    assert (await client.get(f"/datasets/{made}")).json()["type"] == "derived"


async def test_who_may_delete(client: httpx.AsyncClient) -> None:
    made = (await client.post("/datasets", json=a_result().model_dump(mode="json"))).json()["pid"]
    # What others refer to stays, whoever asks.
    answer = await client.delete(f"/datasets/{ALICES.pid}", headers=WRITER)
    assert answer.status_code == 409
    # A raw record is the writers' to delete, not its owner's; a hidden one is not there.
    assert (await client.delete(f"/datasets/{PUBLIC.pid}")).status_code == 403
    assert (await client.delete("/datasets/bob-5%2Ffiles")).status_code == 404
    # A result is its owner's.
    assert (await client.delete(f"/datasets/{made}")).status_code == 204
    assert (await client.delete(f"/datasets/{made}")).status_code == 404
    for pid in (ALICES.pid, PUBLIC.pid, "bob-5%2Ffiles"):
        assert (await client.delete(f"/datasets/{pid}", headers=WRITER)).status_code == 204
        assert (await client.get(f"/datasets/{pid}")).status_code == 404


async def test_a_deletion_leaves_a_trace(client: httpx.AsyncClient, store: CatalogueStore) -> None:
    public = Announcements(store)
    await client.delete(f"/datasets/{PUBLIC.pid}", headers=WRITER)
    listed, _ = public.page(Selection(), None, 100)
    assert {one.pid: one.deleted for one in listed}[PUBLIC.pid]
    with store.reading() as connection:
        assert connection.execute("SELECT pid, by FROM deletion").fetchall() == [
            (PUBLIC.pid, "ingestor")
        ]
    await client.put(f"/datasets/{PUBLIC.pid}", json=RECORD, headers=WRITER)
    with store.reading() as connection:
        assert connection.execute("SELECT pid, by FROM deletion").fetchall() == []


def catalogue(service: httpx.ASGITransport, token: str) -> ServiceCatalogue:
    return ServiceCatalogue(f"http://c.test{PREFIX}", token, transport=service)


async def test_the_client_writes(service: httpx.ASGITransport) -> None:
    writer, alice = catalogue(service, "writer-token"), catalogue(service, "alice-token")
    record: Dataset = synthetic_dataset(7, pid="10.5/seven", doi="10.5/seven")
    await writer.register(record)
    made = await alice.get("10.5/seven")
    assert made.model_copy(update={"source": None}) == record
    with pytest.raises(DatasetNotPermittedError):
        await alice.register(record)
    with pytest.raises(DatasetNotPermittedError):
        await alice.delete("10.5/seven")
    await writer.delete("10.5/seven")
    with pytest.raises(DatasetNotFoundError):
        await writer.delete("10.5/seven")
    with pytest.raises(DatasetNotFoundError):
        await alice.thumbnail("10.5/seven")
    assert await alice.thumbnail(PUBLIC.pid) is None
    with pytest.raises(CatalogueError):
        await catalogue(service, "nonsense").thumbnail(PUBLIC.pid)
