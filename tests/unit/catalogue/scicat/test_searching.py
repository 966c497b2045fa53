"""Searches: what the source is asked, what is looked at here, and that both mean the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearfield.catalogue.scicat import patterns, searching
from nearfield.catalogue.scicat.where import MAX_FILTER, V4, Known, where_of, written_length
from nearfield.datasets import Dataset
from nearfield.querying import Query
from nearfield.querying.matching import holds
from nearfield.testing.catalogue_contract import ANONYMOUS, PUBLIC
from nearfield.testing.fake_scicat import AnswerError, FakeSciCat, Request
from sourcelab.scicat import record_of

from .conftest import Asking

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = st.text("aeü ßx1-_/é.☃\u0308", min_size=1, max_size=9)


def fill(scicat: FakeSciCat, count: int, **fields: Any) -> None:
    """Public records, a minute apart."""
    scicat.datasets.clear()
    for number in range(count):
        time = (FIRST + timedelta(minutes=number)).isoformat()
        pid = f"n-{number:05d}"
        scicat.add(record_of(PUBLIC, pid=pid, creationTime=time, startTime=time, **fields))


@settings(max_examples=500, deadline=None)
@given(text=WORDS, title=WORDS)
def test_patterns_take_in_what_holds_and_surely_nothing_else(text: str, title: str) -> None:
    """Between the two expressions lies what the driver looks at itself."""
    truth = holds(Query(phrases=(text,)), Dataset(pid="p", title=title))
    begins = holds(Query(text=text.replace(" ", "-")), Dataset(pid="p", title=title))
    if patterns.tokens(text):
        for whole, holding, said in ((True, truth, text), (False, begins, text.replace(" ", "-"))):
            may = re.search(patterns.maybe(said, whole=whole), title, re.IGNORECASE)
            assert may is not None or not holding
            sure = patterns.surely(said, whole=whole)
            if sure is not None and re.search(sure, title, re.IGNORECASE):
                assert holding


async def test_a_plain_search_is_three_questions_and_a_second_one_two(
    ask: Asking, scicat: FakeSciCat
) -> None:
    nobody = ask(ANONYMOUS)
    await nobody.search(Query(type="raw"))
    assert sorted(path for _, path in scicat.requests) == [
        "/api/v3/instruments",
        "/api/v4/datasets/public",
        "/api/v4/datasets/public/count",
    ]
    scicat.requests.clear()
    await nobody.search(Query(type="derived"))
    assert len(scicat.requests) == 2


async def test_accents_are_looked_at_here(ask: Asking, scicat: FakeSciCat) -> None:
    fill(scicat, 3, datasetName="Röntgen")
    scicat.datasets["n-00001"]["datasetName"] = "Rontgen"
    scicat.datasets["n-00002"]["datasetName"] = "Röst"
    page = await ask().search(Query(text="rontgen"))
    assert [one.pid for one in page.datasets] == ["n-00001", "n-00000"]
    assert page.total_exact


async def test_what_is_not_looked_through_is_said(
    ask: Asking, scicat: FakeSciCat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MAX_SCAN", 40)
    monkeypatch.setattr(searching, "SCAN_PAGE", 20)
    fill(scicat, 60, scientificMetadata={"energy": {"value": 8, "unit": "keV"}})
    alice = ask()
    query = Query.model_validate({"conditions": [{"name": "energy", "value": 8, "unit": "keV"}]})
    page = await alice.search(query)
    assert (page.total, page.total_exact) == (40, False)
    message = page.sources[0].message
    assert message is not None
    assert message.startswith("only the newest")
    facets = await alice.facets(query)
    assert (facets["type"], facets.exact) == ({"raw": 40}, False)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((">", 8, "keV"), [1, 2]),
        ((">", 8000, "eV"), [1, 2]),
        (("<=", 8, "keV"), [0]),
        (("=", 9000, "eV"), [1]),
        ((">", 1, "mm"), []),
        ((">", 8, "nonsense"), []),
    ],
)
async def test_units(
    ask: Asking, scicat: FakeSciCat, asked: tuple[str, float, str], found: list[int]
) -> None:
    fill(scicat, 4)
    nested: list[Any] = [
        {"energy": {"value": 8, "unit": "keV"}},
        {"mono": {"energy": {"v": 9000, "u": "eV"}}},
        {"entry/mono/energy": {"value": 10, "unit": "keV"}},
        {"energy": {"value": 12, "unit": "clicks"}},
    ]
    for number, values in enumerate(nested):
        scicat.add(record_of(PUBLIC, pid=f"n-{number:05d}", scientificMetadata=values))
    op, value, unit = asked
    query = {"conditions": [{"name": "energy", "op": op, "value": value, "unit": unit}]}
    page = await ask().search(Query.model_validate(query))
    assert sorted(one.pid for one in page.datasets) == [f"n-{number:05d}" for number in found]
    assert page.total_exact


async def test_a_search_too_long_for_an_address_is_finished_here(
    ask: Asking, scicat: FakeSciCat
) -> None:
    words = [f"word{number:03d}x" for number in range(40)]
    fill(scicat, 2, datasetName=" ".join(words))
    scicat.datasets["n-00000"]["datasetName"] = " ".join(words[:-1])
    page = await ask().search(Query(text=" ".join(words)))
    assert [one.pid for one in page.datasets] == ["n-00001"]
    where = where_of(Query(text=" ".join(words)), V4, Known({}, {}))
    assert where.surely is None
    assert written_length(where.maybe) < MAX_FILTER + 100
    # What is sent of it is no little part.
    assert len(where.maybe["$and"]) >= 3


async def test_a_backend_that_counts_something_else_is_not_believed(
    ask: Asking, scicat: FakeSciCat
) -> None:
    """With Elasticsearch a backend counts without the conditions."""
    fill(scicat, 10)

    async def elsewhere(request: Request) -> None:
        request.params = [
            (name, "{}" if name == "fields" and "fullfacet" in request.segments else value)
            for name, value in request.params
        ]

    scicat.datasets["n-00003"]["type"] = "derived"
    scicat.before = elsewhere
    facets = await ask().facets(Query(type="derived"))
    assert facets["type"] == {"derived": 1}
    assert facets.exact


async def test_names_of_values_that_only_look_alike(ask: Asking, scicat: FakeSciCat) -> None:
    fill(scicat, 2, scientificMetadata={"energy_offset": 5, "myenergy": 5})
    page = await ask().search(
        Query.model_validate({"conditions": [{"name": "energy", "value": 5}]})
    )
    assert page.total == 0


async def test_a_refused_filter_is_told_with_the_sources_words(
    ask: Asking, scicat: FakeSciCat
) -> None:
    async def refuse(request: Request) -> None:
        if request.segments[-1] == "count":
            raise AnswerError(400, "Property x should not exist in the filter object")

    scicat.before = refuse
    with pytest.raises(Exception, match=r"^beamline: answered 400 .*: Property x"):
        await ask().search(Query(type="raw"))


@pytest.mark.parametrize("source", [("BEAMLINE",), ("beamline", "other")])
async def test_a_source_by_its_name(ask: Asking, source: tuple[str, ...]) -> None:
    assert (await ask().search(Query(source=source))).total == 5


async def test_another_source_is_not_asked(ask: Asking, scicat: FakeSciCat) -> None:
    alice = ask()
    assert (await alice.search(Query(source=("other",)))).total == 0
    assert (await alice.facets(Query(source=("other",)))).counts == {}
    assert scicat.requests == []


async def test_instruments_from_places(ask: Asking, scicat: FakeSciCat) -> None:
    fill(scicat, 3, instrumentIds=[], creationLocation="/Site/Ring/BL-7")
    scicat.datasets["n-00002"]["creationLocation"] = "/Site"
    alice = ask()
    found = await alice.get("n-00000")
    assert (found.facility, found.instrument) == ("Site/Ring", "BL-7")
    assert (await alice.search(Query(instrument=("bl-7",)))).total == 2
    assert (await alice.search(Query(facility=("site/ring",)))).total == 2
    assert (await alice.search(Query(facility=("=Site",)))).total == 1
    assert (await alice.search(Query(facility=("Site",)))).total == 3
    assert (await alice.search(Query(facility=("bl-7",)))).total == 0
    assert (await alice.search(Query(text="bl-7 ring"))).total == 2
    facets = await alice.facets(Query())
    assert facets["instrument"] == {"BL-7": 2}
    assert facets["facility"] == {"Site/Ring": 2, "Site": 1}


async def test_what_is_on_tape_is_said(ask: Asking, scicat: FakeSciCat) -> None:
    record = scicat.datasets[PUBLIC.pid]
    record["datasetlifecycle"] = {"isOnCentralDisk": False, "retrievable": True}
    assert (await ask().get(PUBLIC.pid)).availability == "tape"
