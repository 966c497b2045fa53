"""The published document is what the driver is held to: whatever it does not have is an error."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nearfield.testing.fake_scicat import FakeSciCat
from nearfield.testing.openapi_transport import CheckedTransport, ContractBreachError
from sourcelab.scicat import DOCUMENT, LOOSE, checked, filled


def client(transport: CheckedTransport) -> httpx.AsyncClient:
    headers = {"Authorization": "Bearer token-of-alice"}
    return httpx.AsyncClient(
        transport=transport, base_url="https://scicat.example", headers=headers
    )


BODY: dict[str, Any] = {
    "ownerGroup": "alice",
    "contactEmail": "a@b.example",
    "sourceFolder": "/x",
    "creationTime": "2024-01-01T00:00:00Z",
    "datasetName": "x",
    "type": "derived",
}


def test_the_document_is_there() -> None:
    assert DOCUMENT.is_file()


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("GET", "/api/v4/nothing", None, "no such route"),
        ("PUT", "/api/v4/datasets", None, "no such route"),
        ("GET", "/api/v4/datasets?limit=5", None, "no parameter 'limit'"),
        ("GET", '/api/v4/datasets?filter={"wher":{}}', None, "wher"),
        ("GET", '/api/v4/datasets?filter={"limits":{"order":"x"}}', None, "order"),
        ("GET", '/api/v4/datasets?filter={"fields":"pid"}', None, "not of type 'array'"),
        ("GET", "/api/v4/datasets/fullfacet?facet=[]", None, "no parameter 'facet'"),
        ("GET", "/api/v4/datasets/findOne", None, "'filter' is missing"),
        ("POST", "/api/v4/datasets", None, "a body is missing"),
        ("POST", "/api/v4/datasets", {**BODY, "title": "x"}, "title"),
        ("POST", "/api/v4/datasets", {**BODY, "size": "1"}, "size"),
        ("POST", "/api/v4/datasets", {**BODY, "creationTime": "2024-01-01T00:00:00"}, "date-time"),
        ("POST", "/api/v4/datasets", {**BODY, "techniques": [{"name": "x"}]}, "pid"),
        ("POST", "/api/v4/datasets", {"type": "raw"}, "required"),
        ("POST", "/api/v3/auth/login", {"username": "a", "pass": "b"}, "pass"),
        ("POST", "/api/v4/origdatablocks", {"datasetId": "x", "size": 0, "dataFileList": []}, "[]"),
        ("GET", "/api/v3/instruments", {"x": 1}, "takes no body"),
    ],
)
async def test_a_request_that_it_does_not_have(method: str, path: str, body: Any, why: str) -> None:
    transport = checked(filled())
    with pytest.raises(ContractBreachError) as refused:
        await client(transport).request(method, path, json=body)
    assert why in str(refused.value)
    assert transport.checked == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"extra": 1}, "extra"),
        ({"size": "many"}, "size"),
        ({"keywords": [1]}, "keywords"),
        ({"datasetlifecycle": {"extra": 1}}, "extra"),
        ({"techniques": [{"pid": "x", "name": "y", "more": 1}]}, "more"),
        ({"startTime": "yesterday"}, "date-time"),
    ],
)
async def test_an_answer_that_it_does_not_have(change: dict[str, Any], why: str) -> None:
    fake = filled()
    fake.datasets["public-1"] |= change
    with pytest.raises(ContractBreachError) as refused:
        await client(checked(fake)).get("/api/v4/datasets/public-1")
    assert why in str(refused.value)


async def test_what_is_loose_is_known() -> None:
    """Counts by name are in no schema; nothing else is let through for that."""
    assert set(LOOSE) == {"FullFacetResponse", "order"}
    answer = await client(checked(filled())).get(
        '/api/v4/datasets/fullfacet?facets=["type"]&fields={}'
    )
    assert "type" in answer.json()[0]


async def test_a_status_that_it_does_not_have() -> None:
    class Odd(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(202, json={"count": 1})

    with pytest.raises(ContractBreachError, match="no answer 202"):
        await client(checked(FakeSciCat()).over(Odd())).get("/api/v4/datasets/count")
