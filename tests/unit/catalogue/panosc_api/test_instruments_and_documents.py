"""Instruments and documents of public datasets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Get = Callable[..., Awaitable[Any]]


async def test_instruments_of_public_datasets(get: Get) -> None:
    found = await get("Instruments")
    assert {one["name"] for one in found} == {"SAXS-1", "ID10", "ID19"}
    assert next(one for one in found if one["name"] == "ID10")["facility"] == "Example Source"
    assert await get("Instruments/count") == {"count": 3}
    assert await get("Instruments/count", where={"name": {"ilike": "id%"}}) == {"count": 2}
    for one in found:
        assert await get(f"Instruments/{one['pid'].replace('%', '%25')}") == one
    assert (await get("Instruments/P08", 404))["error"]["code"] == "MODEL_NOT_FOUND"
    assert [one["name"] for one in await get("Instruments", where={"text": "example"})] == ["ID10"]


async def test_documents_are_the_proposals_of_public_datasets(get: Get) -> None:
    found = await get("Documents", include=[{"relation": "datasets"}])
    assert [one["title"] for one in found] == ["P-0001", "P-77"]
    assert [one["pid"] for one in found[1]["datasets"]] == ["20.500/copper"]
    assert await get("Documents/count") == {"count": 2}
    scope = {"include": [{"relation": "techniques", "scope": {"where": {"name": "NXtomo"}}}]}
    assert await get("Documents", include=[{"relation": "datasets", "scope": scope}]) == []
    assert (await get("Documents/proposal:P-77"))["type"] == "proposal"
    assert (await get("Documents/proposal:P-1234", 404))["error"]["statusCode"] == 404
