"""The embedded catalogue finds what a query means, for any records, queries and readers."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.catalogue._combinations import FACETS
from nearfield.datasets import Access, Dataset, Principal
from nearfield.querying import Query
from nearfield.querying.matching import relevance
from nearfield.querying.times import instant
from nearfield.testing.catalogue_expectations import facets_of
from nearfield.testing.fake_catalogue import FakeCatalogue

DAY = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = (
    "silver",
    "Silver-behenate",
    "thin",
    "film",
    "X-ray",
    "NXsas",
    "straße",
    "ÅNGSTRÖM",
    "s",
    "_",
)
NAMES = ("alice", "bob", "Bob", "g1", "g2", "ß", "public", "Bob Ä. Public", "")
TECHNIQUES = ("NXsas", "SAXS", "GISAXS", "X-ray reflectivity", "PaNET01188", "odd one")

SAMPLES = ("straße", "film", "thin film, Ü2", "film on thin", "ag", "Ag", "Ag-Behenate 3", "β", "-")
# Whole values and parts of them, some marked as whole.
VALUES = st.builds(
    "{}{}".format,
    st.sampled_from(["", "", "="]),
    st.sampled_from(
        (
            *SAMPLES,
            "STRASSE",
            "thin",
            "U2",
            "AG",
            "behenate",
            "id",
            "10",
            "id-10",
            "pinsaxs",
            "9 id c",
            "0012",
            "2024 0012",
            "nexus",
            "openpmd",
            "a",
            "fur strassen",
            "film thin",
            "3 film",
        )
    ),
)

words = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
name = st.sampled_from(NAMES)
values = st.one_of(
    st.sampled_from([1, 2.5, 8000, -3.0, 0, "Frozen", "8", True, None, [1], float("nan"), 10**400]),
    st.builds(
        lambda value, unit: {"value": value, "unit": unit},
        st.sampled_from([8, 8.0, 8000, 9.5, -1]),
        st.sampled_from(["keV", "eV", "K", "degC", "", None, "furlongs per fortnight", "no unit"]),
    ),
)
time = st.one_of(
    st.none(),
    st.integers(0, 3).map(lambda n: DAY + timedelta(days=n)),
    st.integers(0, 3).map(lambda n: DAY + timedelta(milliseconds=n)),
)


def optional(choices: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(choices))


@st.composite
def dataset(draw: st.DrawFn, pid: str) -> Dataset:
    fields: dict[str, Any] = {
        "pid": pid,
        "type": draw(st.sampled_from(["raw", "derived"])),
        "title": draw(st.one_of(st.none(), words)),
        "description": draw(st.one_of(st.none(), words)),
        "techniques": tuple(draw(st.lists(st.sampled_from(TECHNIQUES), max_size=2))),
        "instrument": draw(optional(("P08", "p08", "ID10", "APS 9-ID-C USAXS pinSAXS", "ID 10"))),
        "facility": draw(optional(("A", "B", "Institut für Straßen", "a b"))),
        "sample": draw(optional(SAMPLES)),
        "proposal": draw(optional(("2024-0012", "0012", "P-0012 x"))),
        "format": draw(optional(("NeXus", "openPMD 1.1"))),
        "keywords": tuple(draw(st.lists(st.sampled_from((*WORDS, *SAMPLES)), max_size=3))),
        "storage": draw(optional(("gpfs", "tape"))),
        "availability": draw(optional(("online", "tape"))),
        "start_time": draw(time),
        "scientific": draw(
            st.dictionaries(st.sampled_from(["energy", "entry/energy", "Energy", "t"]), values)
        ),
        "input_datasets": tuple(draw(st.lists(st.sampled_from(["d0", "d1"]), max_size=1))),
        "access": Access(
            owner=draw(st.one_of(st.none(), name)),
            owner_group=draw(st.one_of(st.none(), name)),
            access_groups=tuple(draw(st.lists(name, max_size=2))),
            public=draw(st.booleans()),
            embargo_until=draw(
                st.sampled_from([None, None, DAY, datetime(2999, 1, 1, tzinfo=UTC)])
            ),
        ),
    }
    return Dataset.model_validate(fields)


condition = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["energy", "ENTRY/energy", "t", "entry"]),
        "op": st.sampled_from(["=", "<", "<=", ">", ">="]),
        "value": st.sampled_from([8, 8.0, 8000, 0, -1, 2.5, "frozen", "8"]),
        "unit": st.sampled_from([None, None, "keV", "eV", "degC", "no unit"]),
    }
)
query = st.builds(
    lambda **fields: Query.model_validate(fields),
    text=words,
    phrases=st.lists(words.filter(bool), max_size=1),
    type=st.sampled_from([None, None, "raw", "derived"]),
    technique=st.lists(st.sampled_from((*TECHNIQUES, "small angle scattering")), max_size=2),
    instrument=st.one_of(
        st.lists(st.sampled_from(["p08", "=P08", "nowhere"]), max_size=2),
        st.lists(VALUES, max_size=2),
    ),
    facility=st.lists(VALUES, max_size=1),
    sample=st.lists(VALUES, max_size=2),
    proposal=st.lists(VALUES, max_size=1),
    format=st.lists(VALUES, max_size=1),
    owner=st.lists(name.filter(bool), max_size=1),
    keyword=st.lists(st.one_of(VALUES, st.sampled_from(WORDS)), max_size=1),
    availability=st.sampled_from([(), (), "online", "remote"]),
    input_dataset=st.sampled_from([None, None, None, "d0"]),
    since=st.sampled_from([None, None, DAY + timedelta(days=1), DAY + timedelta(milliseconds=1)]),
    until=st.sampled_from([None, None, DAY + timedelta(days=1), DAY + timedelta(milliseconds=1)]),
    conditions=st.lists(condition, max_size=1),
    order=st.sampled_from(["newest", "relevance"]),
)
reader = st.builds(
    Principal,
    name=name,
    groups=st.frozensets(st.sampled_from([one for one in NAMES if one]), max_size=3),
    admin=st.sampled_from([False, False, True]),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(data=st.data(), asked=st.lists(query, min_size=1, max_size=12), user=reader)
def test_the_index_finds_what_the_query_means(
    data: st.DataObject, asked: list[Query], user: Principal
) -> None:
    count = data.draw(st.integers(1, 8))
    first = [data.draw(dataset(f"d{n}")) for n in range(count)]
    # Some are registered again as something else, and one is gone.
    again = [data.draw(dataset(f"d{n}")) for n in range(0, count, 3)]
    with tempfile.TemporaryDirectory() as folder:
        store = CatalogueStore(Path(folder) / "c.sqlite", "fake")
        store.register(first)
        store.register(again)
        held = {one.pid: _stored(one) for one in (*first, *again)}
        fake = FakeCatalogue(user, held.values())
        real = SqliteCatalogue(store, user)
        for one in asked:
            asyncio.run(_same(real, fake, one))
        store.close()


def _stored(one: Dataset) -> Dataset:
    return Dataset.model_validate_json(one.model_dump_json())


async def _same(real: SqliteCatalogue, fake: FakeCatalogue, asked: Query) -> None:
    found, meant = await real.search(asked), await fake.search(asked)
    assert {one.pid for one in found.datasets} == {one.pid for one in meant.datasets}
    assert (found.total, found.total_exact) == (meant.total, True)
    # Both orders agree as far as times tell apart; the index tells milliseconds apart.
    places = [_place(asked, one) for one in found.datasets]
    assert places == sorted(places)
    counts = (await real.facets(asked)).counts
    for facet in FACETS:
        assert counts[facet] == facets_of(meant.datasets, facet)
    walked = [one.pid async for one in _walk(real, asked)]
    assert walked == [one.pid for one in found.datasets]


async def _walk(real: SqliteCatalogue, asked: Query) -> Any:
    asked = asked.model_copy(update={"limit": 2})
    for _ in itertools.repeat(None, 20):
        page = await real.search(asked)
        for one in page.datasets:
            yield one
        if page.next is None:
            return
        asked = asked.model_copy(update={"cursor": page.next})


def _place(asked: Query, one: Dataset) -> tuple[int, bool, int]:
    rank = relevance(asked, one) if asked.order == "relevance" else 0
    at = one.start_time or one.created
    return (-rank, at is None, 0 if at is None else -int(instant(at) * 1000))
