"""What a list shows of datasets, with the rights of who asks, without reading whole records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from nearfield.catalogue.remote import ServiceCatalogue
from nearfield.datasets import Dataset
from nearfield.querying import Query, summary_of
from nearfield.testing.fake_hub import PREFIX


async def test_they_say_what_the_records_say(client: httpx.AsyncClient) -> None:
    records = (await client.get("/datasets")).json()
    summaries = (await client.get("/summaries")).json()
    assert summaries["total"] == records["total"] > 1

    now = datetime.now(UTC)

    def short(record: dict[str, Any]) -> dict[str, Any]:
        return summary_of(Dataset.model_validate(record), now).model_dump(mode="json")

    assert summaries["datasets"] == [short(record) for record in records["datasets"]]


async def test_pids_are_no_way_round_the_rights(client: httpx.AsyncClient) -> None:
    mine = [d["pid"] for d in (await client.get("/summaries")).json()["datasets"]]
    assert "bob-5/files" not in mine
    asked = [("pid", mine[1]), ("pid", "bob-5/files"), ("pid", "no such' OR 1=1"), ("pid", mine[0])]
    found = (await client.get("/summaries", params=asked)).json()
    assert {d["pid"] for d in found["datasets"]} == {mine[0], mine[1]}
    assert found["total"] == 2


async def test_too_many_or_unknown(client: httpx.AsyncClient) -> None:
    many = [("pid", f"p{n}") for n in range(201)]
    assert (await client.get("/summaries", params=many)).status_code == 400
    assert (await client.get("/summaries", params={"colour": "red"})).status_code == 400
    assert (await client.get("/summaries", headers={"authorization": ""})).status_code == 401


async def test_the_client(client: httpx.AsyncClient) -> None:
    catalogue = ServiceCatalogue(f"http://c.test{PREFIX}", "alice-token")
    await catalogue._client.aclose()
    catalogue._client = client
    page = await catalogue.summaries(Query(limit=1, offset=1))
    assert (len(page.datasets), page.offset) == (1, 1)
    pid = page.datasets[0].pid
    assert [d.pid for d in (await catalogue.summaries(Query(), [pid])).datasets] == [pid]
