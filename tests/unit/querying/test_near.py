"""What a value may have meant that nothing has."""

from __future__ import annotations

import pytest

from nearfield.querying import Query
from nearfield.querying.language import parse
from nearfield.querying.near import near_values

INSTRUMENTS = {"ID10": 9, "P08": 7, "ID11": 3, "APS 9-ID-C USAXS pinSAXS": 2, "Müller, 2": 1}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("ID1O", ["ID10", "ID11"]),
        ("=id1o", ["ID10", "ID11"]),
        ("id1", ["ID10", "ID11"]),
        ("saxs", ["APS 9-ID-C USAXS pinSAXS"]),
        ("pinsasx", ["APS 9-ID-C USAXS pinSAXS"]),
        ("muler", ["Müller, 2"]),
        ("tomography", []),
        ("-", []),
    ],
)
def test_likest_first(asked: str, found: list[str]) -> None:
    query = Query(instrument=(asked,))
    near = near_values(query, "instrument", asked, INSTRUMENTS)
    assert [one.value for one in near.near] == found if near else not found


def test_each_is_the_search_with_it_instead() -> None:
    query = parse("film instrument:muller2,P08 energy>8keV order:relevance")
    near = near_values(query, "instrument", "muller2", INSTRUMENTS)
    assert near is not None
    assert near.words == "no instrument muller2 here; near: Müller, 2"
    (one,) = near.near
    assert parse(one.query) == query.model_copy(
        update={"instrument": ("=Müller, 2", "P08"), "order": "newest"}
    )


def test_long_values_and_many_cost_little() -> None:
    many = {f"{'x' * 5000} {number}": 1 for number in range(5000)}
    near = near_values(Query(instrument=("y" * 500,)), "instrument", "y" * 500, many)
    assert near is None
