"""Servers of the PaNOSC search API that answer badly, and records that are odd."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from nearfield.catalogue.panosc import PanoscCatalogue
from nearfield.config.sources import PanoscSource
from nearfield.datasets import MAX_TITLE
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    UnsupportedQueryError,
    UsageError,
)
from nearfield.querying import Condition, Query
from nearfield.testing.catalogue_contract import a_result

Handler = Callable[[httpx.Request], httpx.Response]


def catalogue(handler: Handler) -> PanoscCatalogue:
    settings = PanoscSource(driver="panosc", url="https://pan.test/api", timeout=1)
    made = PanoscCatalogue.from_settings("esrf", settings, transport=httpx.MockTransport(handler))

    async def at_once(seconds: float) -> None:
        return None

    made._client._sleep = at_once
    return made


def answering(*records: Any, count: Any = None) -> Handler:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/count"):
            return httpx.Response(200, json={"count": len(records) if count is None else count})
        if request.url.path.endswith("/Datasets"):
            said = json.loads(request.url.params["filter"])
            return httpx.Response(200, json=records[said["skip"] :][: said["limit"]])
        return httpx.Response(200, json=records[0])

    return handle


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(500, text="Traceback"), CatalogueUnavailableError),
        (httpx.Response(503), CatalogueUnavailableError),
        (httpx.Response(200, html="<html><script>x</script></html>"), CatalogueError),
        (
            httpx.Response(
                200, content=b'[{"pid": "a"', headers={"content-type": "application/json"}
            ),
            CatalogueError,
        ),
        (httpx.Response(200, json={"error": {"statusCode": 500}}), CatalogueError),
        (httpx.Response(200, json=None), CatalogueError),
        (httpx.Response(302, headers={"location": "https://evil.test/"}), CatalogueError),
        (
            httpx.Response(302, headers={"location": "https://pan.test/api/Datasets"}),
            CatalogueError,
        ),
        (
            httpx.Response(
                200,
                content=b"[" + b" " * 9_000_000 + b"]",
                headers={"content-type": "application/json"},
            ),
            CatalogueError,
        ),
        (
            httpx.Response(400, json={"error": {"statusCode": 400, "message": "no 'ilike'"}}),
            CatalogueError,
        ),
        (httpx.Response(401, json={"error": {"message": "log in"}}), CatalogueError),
    ],
)
async def test_an_answer_that_is_none_names_the_source(
    answer: httpx.Response, kind: type[Exception]
) -> None:
    asked = catalogue(lambda request: answer)
    for ask in (asked.search(Query()), asked.facets(Query()), asked.get("x")):
        with pytest.raises(kind, match="esrf"):
            await ask


async def test_one_bad_record_does_not_fail_the_page() -> None:
    bad: list[Any] = [None, 7, {}, {"pid": None}, {"pid": ""}, {"pid": "x" * 401}, [], {"pid": []}]
    page = await catalogue(answering({"pid": "good"}, *bad, {"pid": "too"})).search(Query())
    assert [one.pid for one in page.datasets] == ["good", "too"]
    assert (page.total, page.sources[0].source) == (10, "esrf")
    assert "8 records are left out" in (page.sources[0].message or "")


async def test_odd_values_are_not_said() -> None:
    odd = {
        "pid": "p",
        "title": None,
        "size": -1,
        "creationDate": "last tuesday",
        "isPublic": "yes",
        "techniques": {"name": "one", "pid": 7},
        "instrument": [],
        "samples": "ice",
        "document": None,
        "parameters": [
            {"name": None, "value": 1},
            {"name": "a", "value": None},
            {"name": "b", "value": {"deep": 1}},
            {"name": "c", "value": 1.5, "unit": ""},
            "x",
        ],
        "files": [{}, {"name": "a.h5", "size": 1e400}, {"path": "/b.h5", "url": "file:///etc"}],
        "unknown": {"more": 1},
    }
    body = json.dumps(odd).replace("Infinity", "1e400")
    one = await catalogue(
        lambda request: httpx.Response(
            200, content=body, headers={"content-type": "application/json"}
        )
    ).get("p")
    assert (one.title, one.size, one.start_time, one.instrument) == (None, 0, None, None)
    assert (one.techniques, one.technique_ids) == (("one",), ())
    assert one.scientific == {"c": 1.5}
    assert [(file.path, file.size, file.url) for file in one.files] == [
        ("a.h5", 0, None),
        ("/b.h5", 0, None),
    ]


async def test_titles_are_text_and_not_endless() -> None:
    markup = "<script>alert(1)</script>"
    page = await catalogue(
        answering({"pid": "a", "title": markup}, {"pid": "b", "title": "x" * 100_000})
    ).search(Query())
    assert page.datasets[0].title == markup
    assert len(page.datasets[1].title or "") == MAX_TITLE
    assert "cut" in page.datasets[1].warnings[0]


async def test_a_time_without_a_zone_stays_without() -> None:
    one = await catalogue(answering({"pid": "a", "creationDate": "2024-01-02T03:04:05"})).get("a")
    assert one.start_time == datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("10.5/a b", "10.5/a%20b"),
        ("20.500/ä", "20.500/%C3%A4"),
        ("a%2Fb", "a%252Fb"),
        ("a?b#c/../d", "a?b#c/../d"),
    ],
)
async def test_any_pid_goes_there_and_back(theirs: str, ours: str) -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode().partition("?")[0])
        return httpx.Response(200, json={"pid": theirs})

    one = await catalogue(handle).get(ours)
    assert one.pid == ours
    assert asked == [f"/api/Datasets/{quote(theirs, safe='')}"]


async def test_a_pid_that_no_record_has_is_not_asked_for() -> None:
    asked = catalogue(lambda request: pytest.fail("asked"))
    for pid in ("a%2Fb", "..", "."):
        with pytest.raises(DatasetNotFoundError):
            await asked.get(pid)


async def test_a_server_without_bounds_is_bounded() -> None:
    # It knows neither limit nor skip, and counts wrongly.
    endless = catalogue(lambda request: httpx.Response(200, json=[{"pid": "same"}] * 600))
    page = await endless.search(Query(limit=10, technique=("x",)))
    assert (len(page.datasets), page.total_exact) == (10, False)
    facets = await endless.facets(Query())
    assert not facets.exact
    assert facets["type"]["raw"] <= 2500


@pytest.mark.parametrize("count", [-1, "7", None, 1e300, True])
async def test_a_count_that_is_none(count: Any) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/count"):
            return httpx.Response(200, json={"count": count})
        return httpx.Response(200, json=[{"pid": str(n)} for n in range(3)])

    try:
        page = await catalogue(handle).search(Query(limit=2))
    except CatalogueError as error:
        assert "esrf" in error.message
    else:
        assert page.total >= 3


async def test_what_it_cannot_do_it_refuses_unasked() -> None:
    asked = catalogue(lambda request: pytest.fail("asked"))
    with pytest.raises(UnsupportedQueryError, match="esrf"):
        await asked.search(Query(keyword=("x",)))
    with pytest.raises(UsageError):
        await asked.search(Query(cursor="nonsense"))
    with pytest.raises(CatalogueError, match="takes no results"):
        await asked.derive(a_result())
    text = Condition(name="state", op=">", value="a")
    assert (await asked.search(Query(conditions=(text,)))).total == 0
    assert (await asked.search(Query(source=("elsewhere",)))).total == 0
    assert (await asked.facets(Query(source=("elsewhere",)))).counts["type"] == {}


async def test_what_is_asked() -> None:
    seen: list[dict[str, Any]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.url.params["filter"]))
        return httpx.Response(200, json=[])

    energy = Condition(name="energy", op=">=", value=8, unit="keV")
    await catalogue(handle).search(
        Query(
            text="silver behenate",
            technique=("saxs",),
            instrument=("ID10", "=ID 11", "100%"),
            conditions=(energy,),
            since=datetime(2024, 1, 1),  # noqa: DTZ001
        )
    )
    said = seen[0]
    assert said["where"] == {
        "and": [
            {"text": "silver"},
            {"text": "behenate"},
            {"creationDate": {"gte": "2024-01-01T00:00:00"}},
        ]
    }
    scopes = {one["relation"]: one.get("scope", {}).get("where") for one in said["include"][:3]}
    names = [{"ilike": "%ID10%"}, {"ilike": "ID 11"}, "100%", {"ilike": "%100%"}]
    assert scopes["instrument"] == {"or": [{"name": name} for name in names]}
    assert scopes["parameters"] == {
        "and": [{"name": "energy"}, {"value": {"gte": 8.0}}, {"unit": "keV"}]
    }
    by_pid, by_name = scopes["techniques"]["or"]
    assert "http://purl.org/pan-science/PaNET/PaNET01188" in by_pid["pid"]["inq"]
    assert {"saxs", "small angle x-ray scattering"} <= set(by_name["name"]["inq"])


@pytest.mark.parametrize("status", [400, 500])
async def test_a_server_that_knows_no_documents_is_asked_without(status: int) -> None:
    seen: list[bool] = []

    def handle(request: httpx.Request) -> httpx.Response:
        said = json.loads(request.url.params["filter"])
        seen.append({"relation": "document"} in said["include"])
        if seen[-1]:
            words = 'Relation "document" is not defined for Dataset model'
            return httpx.Response(status, json={"error": {"message": words}})
        one = {"pid": "a"}
        return httpx.Response(200, json=one if request.url.path.endswith("/a") else [one])

    asked = catalogue(handle)
    assert (await asked.search(Query())).datasets[0].pid == "a"
    assert (await asked.get("a")).proposal is None
    # It was asked in vain once.
    assert seen == [True, False, False]


async def test_a_condition_on_documents_is_never_left_out() -> None:
    words = {"error": {"message": 'Relation "document" is not defined for Dataset model'}}
    asked = catalogue(lambda request: httpx.Response(400, json=words))
    with pytest.raises(CatalogueError, match="document"):
        await asked.search(Query(proposal=("P-1",)))
