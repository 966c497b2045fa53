"""No value is read as a part of a query, whatever it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.catalogue.icat import _jpql as jpql
from nearfield.errors import UsageError
from nearfield.querying import Condition, Query
from nearfield.testing.catalogue_contract import ADMIN, PUBLIC
from nearfield.testing.fake_icat_jpql import Parser, QueryError
from sourcelab.icat import driver, filled, put

HOSTILE = (
    "'",
    "''",
    "\\",
    "\\'",
    "' OR 1 = 1",
    "') OR d.id > 0 INCLUDE 1 LIMIT 0, 9",
    "%",
    "_",
    "!",
    "!%",
    "{ts 2020-01-01 00:00:00}",
    ":x",
    "SELECT d FROM Dataset d",
    "NULL",
    "line\nbreak\ttab",
    "☃ Müller",
)


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"])))
def test_a_text_is_one_literal(value: str) -> None:
    said = jpql.text(value)
    query = Parser(f"SELECT d FROM Dataset d WHERE d.name = {said}", UTC, lambda *_: []).query()
    assert query.where is not None
    assert query.where({"d": {"name": value.replace("\0", "\ufffd")}})
    assert not query.where({"d": {"name": value + "x"}})


@given(
    st.text(alphabet=st.characters(blacklist_categories=["Cs"]), min_size=1),
    st.text(alphabet="ab%_!'\\", max_size=4),
)
def test_what_is_looked_for_holds_no_wild_card(needle: str, around: str) -> None:
    query = Parser(
        f"SELECT d FROM Dataset d WHERE {jpql.holds('d.name', needle)}", UTC, lambda *_: []
    ).query()
    assert query.where is not None
    seen = needle.replace("\0", "\ufffd")
    assert query.where({"d": {"name": around + seen + around}})
    assert query.where({"d": {"name": around}}) is (seen.lower() in around.lower())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_itself(value: float) -> None:
    query = Parser(
        f"SELECT x FROM DatasetParameter x WHERE x.numericValue = {jpql.number(value)}",
        UTC,
        lambda *_: [],
    ).query()
    assert query.where is not None
    assert query.where({"x": {"numericValue": value}})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        jpql.number(value)


def test_times_are_the_servers() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    noon = datetime(2024, 7, 1, 12, 0, 0, 5, tzinfo=UTC)
    assert jpql.moment(noon, berlin) == "{ts 2024-07-01 14:00:00}"
    assert jpql.moment(noon, berlin, up=True) == "{ts 2024-07-01 14:00:01}"
    other = datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=-3)))
    assert jpql.moment(other, UTC) == "{ts 2024-07-01 15:00:00}"
    assert jpql.moment(datetime(2024, 7, 1, 12), UTC) == "{ts 2024-07-01 12:00:00}"  # noqa: DTZ001
    assert jpql.moment(datetime(812, 1, 1, tzinfo=UTC), UTC) == "{ts 0812-01-01 00:00:00}"


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_hostile_value_finds_what_bears_it(value: str) -> None:
    icat, _ = filled()
    number = put(
        icat,
        PUBLIC.model_copy(
            update={"pid": "h", "instrument": value, "sample": value, "facility": value}
        ),
    )
    catalogue = driver(ADMIN, icat)
    for field in ("instrument", "sample", "facility"):
        page = await catalogue.search(Query.model_validate({field: f"={value}"}))
        assert [one.pid for one in page.datasets] == [number]
        page = await catalogue.search(Query.model_validate({field: value}))
        assert number in [one.pid for one in page.datasets]
    for field in ("keyword", "proposal", "technique"):
        assert (await catalogue.search(Query.model_validate({field: value}))).total == 0
    conditions = (Condition(name=value, value=1), Condition(name="state", value=value))
    assert (await catalogue.search(Query(conditions=conditions))).total == 0
    await catalogue.search(Query(phrases=(value,)))
    await catalogue.search(Query(text=value))


async def test_what_is_too_long_for_an_address_is_told() -> None:
    icat, _ = filled()
    with pytest.raises(UsageError, match="too many or too long"):
        await driver(ADMIN, icat).search(Query(keyword=tuple("x" * 300 for _ in range(50))))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT d FROM Dataset d WHERE d.name = 'a",
        "SELECT d FROM Dataset d WHERE d.name = 'a' 'b'",
        "SELECT d FROM Dataset d WHERE d.nonsense = 'a'",
        "SELECT d FROM Nothing d",
        "SELECT d FROM Dataset d\nWHERE d.id = 1",
        "SELECT d FROM Dataset d INCLUDE d.nonsense",
        "SELECT d FROM Dataset d LIMIT 5",
        "SELECT e FROM Dataset d",
        "SELECT d FROM Dataset d; DELETE",
    ],
)
def test_the_fake_is_strict(query: str) -> None:
    icat, _ = filled()
    with pytest.raises(QueryError):
        icat.store.search("oidc/root", query)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata"])
async def test_a_server_in_any_zone_means_the_same_instant(zone: str) -> None:
    icat, names = filled(zone=ZoneInfo(zone))
    catalogue = driver(ADMIN, icat, timezone=zone)
    noon = PUBLIC.start_time
    assert noon is not None
    for moment in (noon, noon.astimezone(timezone(timedelta(hours=9)))):
        page = await catalogue.search(Query(since=moment, until=moment))
        assert [one.pid for one in page.datasets] == [names[PUBLIC.pid]]
        assert page.datasets[0].start_time == noon
    second = timedelta(seconds=1)
    assert (await catalogue.search(Query(since=noon + second, until=noon + 2 * second))).total == 0
