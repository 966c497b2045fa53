"""What may come next in a search, from what the catalogues count and are called."""

from __future__ import annotations

import pytest

from nearfield.catalogue import Catalogue, complete_in, find
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueUnavailableError, DatasetNotPermittedError
from nearfield.querying.language import parse

from .conftest import Source, federation, made


@pytest.fixture
def sources() -> tuple[Source, Source]:
    home = [made("a", 1, instrument="ID10"), made("b", 1, instrument="P08")]
    return Source("home", home), Source("far", [made("c", 1, instrument="P08")])


async def inserted(catalogue: Catalogue, text: str) -> list[tuple[str, int | None]]:
    found = await complete_in(catalogue, text, len(text))
    return [(item.insert, item.count) for item in found.items]


async def test_values_are_those_of_all_catalogues(sources: tuple[Source, Source]) -> None:
    catalogue = federation(*sources)
    assert await inserted(catalogue, "film instrument:") == [("P08", 2), ("ID10", 1)]
    assert await inserted(catalogue, "source:f") == [("far", None)]
    assert await inserted(sources[0], "source:") == [("home", None)]
    assert ("saxs", None) in [(n.lower(), c) for n, c in await inserted(catalogue, "tech:saxs")]
    assert await inserted(catalogue, "type:d") == [("derived", None)]


async def test_no_answer_costs_the_values_alone(sources: tuple[Source, Source]) -> None:
    for one in sources:
        one.store.down = True
    catalogue = federation(*sources)
    assert await inserted(catalogue, "instrument:") == []
    assert ("instrument:", None) in await inserted(catalogue, "inst")
    assert await inserted(sources[0], "instrument:") == []


async def test_a_hung_source_costs_its_own_values(sources: tuple[Source, Source]) -> None:
    hung = Source("hung", hangs=True)
    catalogue = federation(*sources, hung)
    assert await inserted(catalogue, "instrument:") == [("P08", 2), ("ID10", 1)]
    assert hung.given_up == 1
    assert [one.timeout for one in catalogue.within(5).sources] == [5, 5, 5]
    assert [one.timeout for one in catalogue.within(99).sources] == [60, 60, 60]


async def test_a_pid_that_one_may_not_see_finds_what_speaks_of_it() -> None:
    class Strict(Source):
        async def get(self, pid: str) -> Dataset:
            raise DatasetNotPermittedError(f"{self.name}: {pid} is not for you")

    pid = "10.5281/zenodo.8"
    about = made("about", 1, title=f"a comment on {pid}")
    page = await find(Strict("s", [about]), parse(pid))
    assert [dataset.pid for dataset in page.datasets] == ["about"]
    assert (await find(Strict("s", [about]), parse(f"pid:{pid}"))).total == 0
    with pytest.raises(CatalogueUnavailableError):
        await find(Source("down", fault=CatalogueUnavailableError("no")), parse(pid))
