"""ICATs that answer badly, and records that are odd."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from nearfield.catalogue.icat import IcatCatalogue
from nearfield.datasets import MAX_TITLE
from nearfield.errors import CatalogueError, CatalogueUnavailableError, DatasetNotFoundError
from nearfield.querying import Query
from nearfield.testing.catalogue_contract import ADMIN, ALICE, ANONYMOUS
from sourcelab.icat import PIDS, Token, driver, filled, settings

SESSION = {"sessionId": "0d9a3706-80d4-4d29-9ff3-4d65d4308a24"}


def answering(answer: httpx.Response | list[Any], count: int = 1) -> IcatCatalogue:
    """Every question after the log-in gets this; a list, to questions for datasets."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/icat/session":
            return httpx.Response(200, json=SESSION)
        if isinstance(answer, httpx.Response):
            return answer
        query = request.url.params["query"]
        if query.startswith("SELECT COUNT(d)"):
            return httpx.Response(200, json=[count])
        return httpx.Response(200, json=answer if query.startswith("SELECT d FROM") else [])

    found = IcatCatalogue.from_settings(
        "icat", settings(timeout=1), token=Token("t"), transport=httpx.MockTransport(handle)
    )

    async def at_once(seconds: float) -> None:
        return None

    for client in (found._server._reads, found._server._writes, found._server._entrance):
        client._sleep = at_once
    return found


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(500, json={"code": "INTERNAL", "message": "x"}), CatalogueUnavailableError),
        (httpx.Response(503), CatalogueUnavailableError),
        (httpx.Response(200, html="<html><script>x</script></html>"), CatalogueError),
        (httpx.Response(200, content=b'[{"Dataset": {"id"'), CatalogueError),
        (httpx.Response(200, json={"not": "a list"}), CatalogueError),
        (httpx.Response(200, json=None), CatalogueError),
        (httpx.Response(302, headers={"location": "https://evil.test/"}), CatalogueError),
        (httpx.Response(200, content=b"[" + b" " * 9_000_000 + b"]"), CatalogueError),
        (
            httpx.Response(400, json={"code": "BAD_PARAMETER", "message": "no such field"}),
            CatalogueError,
        ),
        (
            httpx.Response(
                400, json={"code": "VALIDATION", "message": "attempt to return more than 10"}
            ),
            CatalogueError,
        ),
        (httpx.Response(403, json={"code": "SESSION", "message": "expired"}), CatalogueError),
    ],
)
async def test_an_answer_that_is_none_names_the_source(
    answer: httpx.Response, kind: type[Exception]
) -> None:
    catalogue = answering(answer)
    for ask in (catalogue.search(Query()), catalogue.facets(Query()), catalogue.get("icat:ESS:5")):
        with pytest.raises(kind, match="icat"):
            await ask


async def test_an_icat_that_is_too_old_is_told() -> None:
    said = {"code": "BAD_PARAMETER", "message": "datasetTechniques is not a field of Dataset"}
    with pytest.raises(CatalogueError, match="datasetTechniques") as refused:
        await answering(httpx.Response(400, json=said)).search(Query())
    assert "icat.server 5 or later" in str(refused.value)


@pytest.mark.parametrize("count", ["x", -1, None, [1], 1.5])
async def test_a_count_that_is_none(count: Any) -> None:
    with pytest.raises(CatalogueError, match="icat: a count"):
        await answering([], count).search(Query())


async def test_one_bad_record_does_not_fail_the_page() -> None:
    good = {"Dataset": {"id": 5, "name": "good"}}
    bad: list[Any] = [
        None,
        7,
        {},
        {"Dataset": None},
        {"Dataset": {"id": 6}},
        {"Dataset": {"id": -1, "name": "x"}},
        {"Dataset": {"id": 7, "name": "x", "startDate": "yesterday"}},
        {"Dataset": {"id": 8, "name": "x", "parameters": [{"stringValue": "no type"}]}},
        {"Investigation": {"id": 9, "name": "x"}},
    ]
    page = await answering([good, *bad], 10).search(Query())
    assert [one.pid for one in page.datasets] == ["icat:ESS:5"]
    assert page.total == 1
    assert page.sources[0].source == "icat"
    assert "left out 9 records" in (page.sources[0].message or "")


async def test_a_record_that_cannot_be_read_is_told() -> None:
    for answer in ([{"Dataset": {"id": 5}}], [{"Dataset": {"id": 6, "name": "another"}}], [None]):
        with pytest.raises(CatalogueError, match=r"icat: the record of 'icat:ESS:5'"):
            await answering(answer).get("icat:ESS:5")
    with pytest.raises(DatasetNotFoundError):
        await answering([]).get("icat:ESS:5")


async def test_odd_values() -> None:
    odd = {
        "id": 5,
        "name": "<script>alert(1)</script>" * 5000,
        "startDate": "2024-01-01T12:00:00",
        "parameters": [
            {"type": {"id": 1, "name": "nearfield_run"}, "stringValue": '{"run_id": "../x"}'},
            {"type": {"id": 2, "name": "a", "units": "K"}, "numericValue": 4.5},
            {"type": {"id": 3, "name": "b"}, "dateTimeValue": "2024-01-01T12:00:00Z"},
        ],
        "unknown": {"deep": [1]},
    }
    files = [{"Datafile": {"id": 1, "name": "x", "checksum": "md5:abc", "fileSize": 3}}]
    catalogue = answering([{"Dataset": odd}])
    found = (await catalogue.search(Query())).datasets[0]
    assert found.title == odd["name"][:MAX_TITLE]  # type: ignore[index]
    assert "125000 characters" in found.warnings[0]
    assert found.start_time is not None
    assert found.start_time.tzinfo is None
    assert (found.run_id, found.type) == (None, "raw")
    assert found.scientific == {
        "a": {"value": 4.5, "unit": "K"},
        "b": "2024-01-01T12:00:00+00:00",
    }
    assert json.dumps(files)


@pytest.mark.parametrize(
    "pid",
    [
        *(f"icat:ESS:{one}" for one in ("0", "-1", "1 OR 1=1", "1e3", "٣", "9" * 19, "5)", "")),
        "5",
        "",
    ],
)
async def test_a_pid_that_is_none_is_not_asked_for(pid: str) -> None:
    icat, _ = filled()
    catalogue = driver(ALICE, icat)
    for ask in (catalogue.get, catalogue.files, catalogue.thumbnail):
        with pytest.raises(DatasetNotFoundError, match="icat"):
            await ask(pid)
    assert icat.requests == []


async def test_a_result_that_was_changed_by_hand_is_shown_as_it_is() -> None:
    icat, names = filled()
    store = icat.store
    run = next(t for t in store.tables["ParameterType"].values() if t["name"] == "nearfield_run")
    row = store.tables["Dataset"][PIDS.id_of(names["alice-2"]) or 0]
    store.add("DatasetParameter", dataset=row, type=run, stringValue="{half a do")
    found = await driver(ADMIN, icat).get(names["alice-2"])
    assert (found.run_id, found.type) == (None, "raw")


async def test_more_files_than_are_given_at_once() -> None:
    icat, names = filled()
    number = names["public-1"]
    row = icat.store.tables["Dataset"][PIDS.id_of(number) or 0]
    for one in range(2500):
        # Not through `add`: two thousand checks of uniqueness take a while.
        file = {"name": f"f{one}", "location": f"/r/f{one}", "fileSize": 1, "dataset": row}
        icat.store.tables["Datafile"][10**6 + one] = {**row, **file, "id": 10**6 + one}
    icat.requests.clear()
    found = await driver(ALICE, icat).get(number)
    assert len(found.files) == 2501
    asked = [one for one in icat.requests if "Datafile" in one.url.params.get("query", "")]
    assert len(asked) == 3


@pytest.mark.parametrize(
    "kept", ["10.5442/ND/1", "doi:10.5442/ND/1", "https://doi.org/10.5442/nd/1"]
)
async def test_a_doi_names_its_dataset(kept: str) -> None:
    icat, names = filled()
    icat.store.tables["Dataset"][PIDS.id_of(names["alice-2"]) or 0]["doi"] = kept
    catalogue = driver(ALICE, icat)
    for name in ("10.5442/ND/1", "https://doi.org/10.5442/nd/1", "doi:10.5442/ND/1"):
        assert (await catalogue.get(name)).pid == names["alice-2"]
    for other in ("10.5442/ND/2", "10.5442/ND/1' OR 'a'='a"):
        with pytest.raises(DatasetNotFoundError, match="icat"):
            await catalogue.get(other)
    with pytest.raises(DatasetNotFoundError):
        await driver(ANONYMOUS, icat).get("10.5442/ND/1")


async def test_datasets_of_many_parameters_are_asked_for_in_smaller_parts() -> None:
    """A server counts each parameter and its type among what it gives at once."""
    icat, _ = filled()
    whole = await driver(ADMIN, icat).search(Query(limit=50))
    icat.store.max_entities = 30
    page = await driver(ADMIN, icat).search(Query(limit=50))
    assert len(page.datasets) > 2
    assert [one.pid for one in page.datasets] == [one.pid for one in whole.datasets]
    assert (page.total, page.next) == (whole.total, None)


async def test_one_dataset_that_is_too_much_is_told() -> None:
    icat, _ = filled()
    icat.store.max_entities = 1
    with pytest.raises(CatalogueError, match="icat: more than it gives at once"):
        await driver(ADMIN, icat).search(Query(limit=50))
