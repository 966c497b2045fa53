"""What the PaNOSC search API refuses, in LoopBack's words, and how far it looks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue.serving import allowance, loopback, panosc_api
from nearfield.datasets import Access, DataFile
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

Get = Callable[..., Awaitable[Any]]


def deep(levels: int) -> dict[str, Any]:
    where: dict[str, Any] = {"pid": "x"}
    for _ in range(levels):
        where = {"and": [where]}
    return where


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ('{"where"', "not JSON"),
        ("[]", "not an object"),
        ('{"where": []}', None),
        ('{"where": "x"}', "where: not an object"),
        ('{"where": {"title": NaN}}', "not JSON"),
        ('{"limit": -1}', "limit"),
        ('{"limit": 1001}', "limit"),
        ('{"limit": true}', "limit"),
        ('{"limit": "10"}', "limit"),
        ('{"skip": 1e9}', "skip"),
        ('{"order": "size ASC"}', "order"),
        ('{"colour": 1}', "colour"),
        ('{"query": 7}', "query"),
        ('{"fields": 7}', "fields"),
        ('{"include": [7]}', "include"),
        ('{"include": ["colours"]}', "colours"),
        ('{"include": [{"relation": "files", "scope": {"include": ["x"]}}]}', "below files"),
        ('{"where": {"colour": 1}}', "colour"),
        ('{"where": {"title": {"regexp": "(a+)+$"}}}', "regexp"),
        ('{"where": {"title": {"near": "x"}}}', "near"),
        ('{"where": {"title": {}}}', "title"),
        ('{"where": {"title": 7}}', "title"),
        ('{"where": {"size": "big"}}', "size"),
        ('{"where": {"creationDate": {"gt": "yesterday"}}}', "creationDate.gt"),
        ('{"where": {"creationDate": {"between": ["2024-01-01"]}}}', "between"),
        ('{"where": {"pid": {"inq": []}}}', "inq"),
        ('{"where": {"pid": {"inq": "x"}}}', "inq"),
        ('{"where": {"text": ["a"]}}', "text"),
        ('{"where": {"and": {}}}', "and"),
        ('{"where": {"text": "' + "x " * 100 + '"}}', "words"),
        (json.dumps({"where": {"pid": {"inq": [str(n) for n in range(201)]}}}), "200"),
        (json.dumps({"where": {"pid": {"inq": ["x"] * 1001}}}), "1000"),
        (json.dumps({"where": deep(20)}), "deeper"),
        ('{"where":' + "[" * 5000 + "]" * 5000 + "}", None),
        ('{"where": {"size": 1' + "0" * 400 + "}}", "300 digits"),
        ('{"where": {"size": {"inq": [-1' + "0" * 400 + "]}}}", "300 digits"),
        ('{"where": {"pid": "\\ud800"}}', "half a character"),
        ('{"where": {"\\ud800": 1}}', "half a character"),
        (
            '{"include": [{"relation": "techniques", "scope": {"where": {"name": "\\ud800"}}}]}',
            "half a character",
        ),
        ('{"where": {"text": "' + "x" * 17_000 + '"}}', "16384"),
    ],
)
async def test_what_does_not_fit_is_named(
    api: httpx.AsyncClient, said: str, named: str | None
) -> None:
    answer = await api.get("/Datasets", params={"filter": said})
    if named is None:
        # LoopBack takes an empty list for nothing; what is nested beyond reason is refused.
        assert answer.status_code in (200, 400)
        return
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["statusCode"], error["name"]) == (400, "BadRequestError")
    assert named in error["message"]


async def test_parameters_have_their_places(api: httpx.AsyncClient) -> None:
    for path in ("/Datasets?where={}", "/Datasets/count?filter={}", "/Datasets?x=1"):
        assert (await api.get(path)).status_code == 400
    assert (await api.get("/Datasets?filter={}&filter={}")).status_code == 400
    assert (await api.post("/Datasets", json={})).status_code == 405


async def test_looking_ends_somewhere(
    get: Get, store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panosc_api, "MAX_LOOKED_AT", 20)
    monkeypatch.setattr(panosc_api, "_STEP", 10)
    store.register(synthetic_dataset(n) for n in range(40))
    everywhere = {"title": {"ilike": "%no such title%"}}
    error = (await get("Datasets", 400, where=everywhere))["error"]
    assert "more than 20 datasets" in error["message"]
    assert (
        "more than 20" in (await get("Datasets/count", 400, where=everywhere))["error"]["message"]
    )
    # What the index does has no such end, and narrows what is looked at.
    assert await get("Datasets/count") == {"count": 43}
    narrowed = {"text": "ice", "title": {"ilike": "%80%"}}
    assert await get("Datasets/count", where=narrowed) == {"count": 1}


def test_patterns_take_no_time_to_fail() -> None:
    looked = 0

    class Counted(str):
        def find(self, *said: Any) -> int:
            nonlocal looked
            looked += 1
            return super().find(*said)

    test = loopback.pattern("%a" * 50 + "%", fold=False)
    assert not test(Counted("a" * 49))
    assert looked <= 50


@pytest.mark.parametrize(
    "wanted",
    [
        {"where": {"title": {"ilike": "%no such title%"}}},
        {"include": [{"relation": "files", "scope": {"where": {"name": {"like": "%no%"}}}}]},
        {"include": [{"relation": "parameters", "scope": {"where": {"value": {"gt": 1e9}}}}]},
    ],
)
async def test_a_filter_has_its_time(
    get: Get, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    """One of a few kilobytes held the service for minutes: all others were told it is busy."""
    assert await get("Datasets", **wanted) == []
    monkeypatch.setattr(allowance, "SECONDS", -1.0)
    assert "takes more than" in (await get("Datasets", 400, **wanted))["error"]["message"]
    # What the index does alone is bounded by itself.
    assert await get("Datasets/count") == {"count": 3}


async def test_an_answer_holds_no_more_than_fits(
    get: Get, store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tuple(DataFile(path=f"/d/{n}.h5", size=1, mtime=DAY_ONE) for n in range(30))
    public = Access(owner="ada", public=True)
    store.register([synthetic_dataset(n, files=files, access=public) for n in range(3)])
    monkeypatch.setattr(allowance, "MAX_SHOWN", 65)
    error = (await get("Datasets", 400, include=["files"]))["error"]
    assert "more than 65 related things" in error["message"]
    some = [{"relation": "files", "scope": {"limit": 10}}]
    assert len(await get("Datasets", include=some)) > 2
