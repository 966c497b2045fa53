"""Who sees, writes and deletes what, at every door of the service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue._hub_auth import CACHE_SECONDS, HubAuthenticator
from nearfield.catalogue.service import make_app
from nearfield.config.serving import ServeConfig
from nearfield.datasets import Dataset
from nearfield.testing.catalogue_contract import CHEMISTS, PEOPLE, SEED, SEEN_BY, a_result
from nearfield.testing.fake_hub import ACCESS, PREFIX, FakeHub
from nearfield.testing.synthetic import synthetic_dataset

SERVE = ServeConfig(
    public=("panosc", "oai"),
    url="https://data.test",
    admin_email="data@data.test",
    writers=("ingest",),
)
CELLS = [
    pytest.param(who, one, id=f"{who}-{one.pid.partition('/')[0]}")
    for who in PEOPLE
    for one in SEED
]
OPEN = {one.pid for one in SEEN_BY["anonymous"]}


@pytest.fixture
async def door(
    store: CatalogueStore, hub: FakeHub, authenticator: HubAuthenticator
) -> AsyncIterator[httpx.AsyncClient]:
    """Without a token; each request brings its own."""
    for who, person in PEOPLE.items():
        hub.answers[f"{who}-token"] = {
            "name": person.name,
            "kind": "user",
            "groups": sorted(person.groups),
            "admin": person.admin,
            "scopes": [ACCESS],
        }
    hub.answers["writer-token"] = {
        "name": "ingestor",
        "kind": "user",
        "groups": ["ingest"],
        "scopes": [ACCESS],
    }
    store.register(SEED)
    transport = httpx.ASGITransport(make_app(store, authenticator, PREFIX + "/", serve=SERVE))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://c.test{PREFIX}") as made:
        yield made


def token(who: str) -> dict[str, str]:
    return {} if who == "anonymous" else {"authorization": f"Bearer {who}-token"}


@pytest.mark.parametrize(("who", "one"), CELLS)
async def test_one_record(door: httpx.AsyncClient, who: str, one: Dataset) -> None:
    path = f"/datasets/{quote(one.pid, safe='')}"
    wanted = 401 if who == "anonymous" else 200 if one in SEEN_BY[who] else 404
    for part in ("", "/files", "/links", "/thumbnail"):
        answer = await door.get(path + part, headers=token(who))
        assert answer.status_code == (204 if wanted == 200 and part == "/thumbnail" else wanted)
        if wanted != 200 and one.title:
            assert one.title not in answer.text


@pytest.mark.parametrize("who", sorted(PEOPLE))
async def test_lists(door: httpx.AsyncClient, who: str) -> None:
    seen = {one.pid for one in SEEN_BY[who]}
    for path in ("/datasets", "/summaries"):
        answer = await door.get(path, headers=token(who))
        if who == "anonymous":
            assert answer.status_code == 401
            continue
        assert {one["pid"] for one in answer.json()["datasets"]} == seen
        assert answer.json()["total"] == len(seen)
    if who != "anonymous":
        counts = (await door.get("/facets", headers=token(who))).json()["counts"]
        assert sum(counts["type"].values()) == len(seen)


@pytest.mark.parametrize(("who", "one"), CELLS)
async def test_public_doors_show_the_same_to_everybody(
    door: httpx.AsyncClient, who: str, one: Dataset
) -> None:
    """A token opens nothing there, not even an administrator's."""
    wanted = 200 if one.pid in OPEN else 404
    path = f"/panosc/api/Datasets/{quote(one.pid, safe='')}"
    for part in ("", "/files", "/files/count"):
        assert (await door.get(path + part, headers=token(who))).status_code == wanted
    where = {"pid": {"inq": [one.pid]}}
    params = {"filter": json.dumps({"where": where})}
    listed = (await door.get("/panosc/api/Datasets", params=params, headers=token(who))).json()
    assert [found["pid"] for found in listed] == ([one.pid] if one.pid in OPEN else [])
    identifier = f"oai:data.test:{quote(one.pid, safe='/._-~:')}"
    asked = {"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": identifier}
    answer = await door.get("/oai", params=asked, headers=token(who))
    assert ("idDoesNotExist" in answer.text) == (one.pid not in OPEN)


async def test_public_lists_and_counts(door: httpx.AsyncClient) -> None:
    listed = (await door.get("/panosc/api/Datasets")).json()
    assert {one["pid"] for one in listed} == OPEN
    assert (await door.get("/panosc/api/Datasets/count")).json() == {"count": len(OPEN)}
    asked = {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc"}
    answer = (await door.get("/oai", params=asked)).text
    for one in SEED:
        assert (f":{one.pid}<" in answer) == (one.pid in OPEN)
    # What is counted, named or hinted at is of public records alone.
    everything = answer + str(
        [
            (await door.get(f"/panosc/api/{path}")).text
            for path in ("Instruments", "Documents", "Datasets")
        ]
        + [(await door.get("/oai?verb=ListSets")).text]
    )
    for secret in ("P08", "P-1234", "vanadium", "tungsten", "pentacene", "dora"):
        assert secret not in everything


@pytest.mark.parametrize("who", [*sorted(PEOPLE), "writer"])
async def test_who_writes(door: httpx.AsyncClient, store: CatalogueStore, who: str) -> None:
    record = {"title": "x", "access": {"owner": "alice"}}
    may = who in ("admin", "writer")
    refused = 401 if who == "anonymous" else 403
    answer = await door.put("/datasets/new", json=record, headers=token(who))
    assert answer.status_code == (201 if may else refused)
    for one in SEED:
        path = f"/datasets/{quote(one.pid, safe='')}"
        # Not even the owner of a raw record deletes it; a hidden one is not there for others.
        hidden = who in PEOPLE and one not in SEEN_BY[who]
        wanted = 204 if may else 401 if who == "anonymous" else 404 if hidden else 403
        assert (await door.delete(path, headers=token(who))).status_code == wanted
    assert store.count() == (1 if may else len(SEED))


@pytest.mark.parametrize("who", [*sorted(PEOPLE), "writer"])
async def test_who_deletes_a_result(
    door: httpx.AsyncClient, store: CatalogueStore, who: str
) -> None:
    store.register([synthetic_dataset(50, pid="base")])
    body = a_result(input_datasets=("base",)).model_dump(mode="json")
    made = (await door.post("/datasets", json=body, headers=token("alice"))).json()["pid"]
    wanted = {"alice": 204, "admin": 204, "writer": 204, "anonymous": 401}.get(who, 403)
    answer = await door.delete(f"/datasets/{made}", headers=token(who))
    assert answer.status_code == wanted


async def test_a_group_that_was_left_counts_no_longer_than_the_hubs_answer(
    door: httpx.AsyncClient, hub: FakeHub, clock: list[float]
) -> None:
    path = f"/datasets/{quote(CHEMISTS.pid, safe='')}"
    derived = a_result(input_datasets=(CHEMISTS.pid,)).model_dump(mode="json")
    assert (await door.get(path, headers=token("alice"))).status_code == 200
    hub.answers["alice-token"]["groups"] = []
    clock[0] += CACHE_SECONDS
    for part in ("", "/files", "/links", "/thumbnail"):
        assert (await door.get(path + part, headers=token("alice"))).status_code == 404
    answer = await door.post("/datasets", json=derived, headers=token("alice"))
    assert answer.status_code == 404
    listed = (await door.get("/datasets", headers=token("alice"))).json()["datasets"]
    assert CHEMISTS.pid not in {one["pid"] for one in listed}
