"""The embedded catalogue finds values by their words just where ``matching.holds`` says so."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.datasets import Access, Dataset, Principal
from nearfield.querying import Query
from nearfield.querying.matching import holds
from nearfield.querying.values import WORDED, value_holds
from nearfield.testing.synthetic import synthetic_dataset

ROOT = Principal(name="root", admin=True)
# Letters that fold, signs that part words, and signs that mean something to somebody.
TEXTS = st.text(
    st.sampled_from([*"abAäÄßé1 ", "-", "_", '"', "*", "=", "%", "µ", "β", "ﬁ", "\u0301", "😀"]),
    min_size=1,
    max_size=6,
)


def record(number: int, value: str) -> Dataset:
    return synthetic_dataset(
        number,
        instrument=value,
        facility=value,
        sample=value,
        proposal=value,
        format=value,
        keywords=("other words", value, "more"),
        access=Access(owner=value, owner_group="a group", public=True),
    )


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    values=st.lists(TEXTS, min_size=1, max_size=12, unique=True),
    asked=st.lists(TEXTS, min_size=1, max_size=12, unique=True),
)
def test_the_index_finds_what_holds(values: list[str], asked: list[str]) -> None:
    asyncio.run(_same(values, asked))


async def _same(values: list[str], asked: list[str]) -> None:
    held = [record(number, value) for number, value in enumerate(values)]
    with tempfile.TemporaryDirectory() as folder:
        store = CatalogueStore(Path(folder) / "c.sqlite", "c")
        store.register(held)
        catalogue = SqliteCatalogue(store, ROOT)
        for wanted in (*asked, *values, *(f"={value}" for value in values)):
            for name in WORDED:
                query = Query.model_validate({name: wanted})
                found = {one.pid for one in (await catalogue.search(query)).datasets}
                assert found == {one.pid for one in held if holds(query, one)}, (name, wanted)
        store.close()


@given(TEXTS)
def test_a_value_finds_itself_and_nothing_else_where_it_is_marked_as_whole(value: str) -> None:
    assert value_holds(f"={value}", value)
    assert not value_holds(f"={value}", f"{value} more")
    assert value_holds(value, value) or value.startswith("=")
