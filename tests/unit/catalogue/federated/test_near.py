"""Who finds nothing is told what the values may have meant, and does not wait for it."""

from __future__ import annotations

from nearfield.catalogue import find, stream_search
from nearfield.errors import CatalogueUnavailableError
from nearfield.querying import EndEvent, Query

from .conftest import Source, federation, made

ID10 = made("a", 1, instrument="ID10", facility="ESRF")
ID11 = made("b", 2, instrument="ID11", facility="other")


async def test_one_source_tells_values_of_what_the_rest_of_the_search_finds() -> None:
    source = Source("home", [ID10, ID11])
    page = await find(source, Query(instrument=("ID1O",), facility=("ESRF",)))
    (near,) = page.near
    assert near.words == "no instrument ID1O here; near: ID10"
    assert near.near[0].query == "instrument:=ID10 facility:ESRF"
    assert (await find(source, Query(instrument=("ID10",)))).near == ()
    assert (await find(source, Query(text="nothing"))).near == ()


async def test_several_sources_tell_those_of_all_that_answer() -> None:
    quick = Source("quick", [ID10])
    broken = Source("broken", fault=CatalogueUnavailableError("broken: down"))
    catalogue = federation(quick, Source("other", [ID11]), broken)
    *_, end = [event async for event in stream_search(catalogue, Query(instrument=("ID1O",)))]
    assert isinstance(end, EndEvent)
    assert [one.value for one in end.near[0].near] == ["ID10", "ID11"]
    assert len(quick.asked) == 1
    assert (await find(catalogue, Query(instrument=("ID1O",)))).near == end.near


async def test_no_counts_are_no_failure() -> None:
    class NoCounts(Source):
        async def facets(self, query: Query) -> None:  # type: ignore[override]
            raise CatalogueUnavailableError("home: busy")

    page = await find(NoCounts("home", [ID10]), Query(instrument=("ID1O",)))
    assert (page.total, page.near) == (0, ())
