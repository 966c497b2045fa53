"""Pages over several sources: one order, nothing twice, nothing left out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nearfield.catalogue import FederatedCatalogue
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueUnavailableError, UnknownNameError, UsageError
from nearfield.querying import Page, Query
from nearfield.testing.synthetic import DAY_ONE

from .conftest import Source, federation, made


async def pages(catalogue: FederatedCatalogue, **fields: object) -> list[Page]:
    found: list[Page] = []
    while not found or found[-1].next:
        query = Query.model_validate({**fields, "cursor": found[-1].next if found else None})
        found.append(await catalogue.search(query))
        assert len(found) < 40
    return found


def pids(found: list[Page]) -> list[str]:
    return [dataset.pid for page in found for dataset in page.datasets]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 24, 50])
@pytest.mark.parametrize("cursors", [(True, True), (True, False), (False, False)])
async def test_pages_are_parts_of_one_order(
    many: list[Dataset], limit: int, cursors: tuple[bool, bool]
) -> None:
    home = Source("home", [d for d in many if d.pid.startswith("home")], cursors=cursors[0])
    far = Source("far", [d for d in many if d.pid.startswith("far")], cursors=cursors[1])
    found = await pages(federation(home, far), limit=limit)
    whole = [f"{place}-{day}" for day in reversed(range(12)) for place in ("far", "home")]
    assert pids(found) == whole
    assert [len(page.datasets) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert {page.total for page in found} == {24}
    assert {d.source for page in found for d in page.datasets} == {"home", "far"}


async def test_new_datasets_of_a_source_with_cursors_move_no_page() -> None:
    home = Source("home", [made(f"home-{n}", n) for n in range(6)])
    far = Source("far", [made(f"far-{n}", n) for n in range(6)])
    catalogue = federation(home, far)
    first = await catalogue.search(Query(limit=4))
    assert pids([first]) == ["far-5", "home-5", "far-4", "home-4"]
    second = await catalogue.search(Query(limit=4, cursor=first.next))
    assert pids([second]) == ["far-3", "home-3", "far-2", "home-2"]
    assert second.total == first.total == 12


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_the_same_dataset_is_shown_once_on_whatever_page(limit: int) -> None:
    doi = "10.5281/zenodo.7"
    home = Source("home", [made("a", 9), made("same", 8, doi=doi), made("b", 7), made("c", 6)])
    # Another time there: it comes on a later page.
    other = made(doi, 2)
    far = Source("far", [made("x", 5), other, made("y", 1)])
    found = await pages(federation(home, far), limit=limit)
    assert pids(found) == ["a", "same", "b", "c", "x", "y"]
    if limit >= 10:
        same = found[0].datasets[1]
        assert (same.source, same.also_in) == ("home", ("far",))
        assert (found[0].total, found[0].total_exact) == (6, True)


async def test_by_relevance_what_several_sources_place_high_comes_first() -> None:
    def placed(*names: str) -> list[Dataset]:
        # The fake gives the newest first, whatever the order asked for: that is its ranking.
        return [
            made(name, 0, doi=f"10.5281/{name}").model_copy(
                update={"start_time": DAY_ONE - timedelta(days=place)}
            )
            for place, name in enumerate(names)
        ]

    home = Source("home", placed("only-home", "both", "low"))
    far = Source("far", placed("only-far", "both"))
    page = await federation(home, far).search(Query(order="relevance"))
    # Two second places count more than one first; its own source's first still goes before it.
    assert pids([page]) == ["only-far", "both", "only-home", "low"]
    assert (page.datasets[1].source, page.datasets[1].also_in) == ("home", ("far",))


async def test_a_source_that_did_not_answer_the_first_page_is_left_out_of_the_next() -> None:
    home = Source("home", [made(f"home-{n}", n) for n in range(4)])
    far = Source("far", [made("far-9", 9)], fault=CatalogueUnavailableError("far: no"))
    catalogue = federation(home, far)
    first = await catalogue.search(Query(limit=2))
    assert (first.total, first.total_exact) == (4, False)
    assert {s.source: s.state for s in first.sources} == {"home": "answered", "far": "failed"}
    far.fault = None
    second = await catalogue.search(Query(limit=2, cursor=first.next))
    assert pids([second]) == ["home-1", "home-0"]
    assert second.next is None
    assert not second.total_exact


async def test_a_source_that_fails_on_a_later_page_loses_nothing() -> None:
    home = Source("home", [made(f"home-{n}", n) for n in range(4)])
    far = Source("far", [made(f"far-{n}", n) for n in range(4)])
    catalogue = federation(home, far)
    first = await catalogue.search(Query(limit=4))
    far.fault = CatalogueUnavailableError("far: no")
    second = await catalogue.search(Query(limit=4, cursor=first.next))
    assert pids([second]) == ["home-1", "home-0"]
    far.fault = None
    third = await catalogue.search(Query(limit=4, cursor=second.next))
    assert pids([first, second, third]) == [
        *("far-3", "home-3", "far-2", "home-2", "home-1", "home-0", "far-1", "far-0"),
    ]


async def test_a_cursor_is_of_one_search_and_whole() -> None:
    catalogue = federation(Source("home", [made(f"h{n}", n) for n in range(4)]))
    first = await catalogue.search(Query(limit=2, text=""))
    assert first.next is not None
    turned = first.next[:-6] + first.next[-6:][::-1]
    for query in (
        Query(limit=2, cursor=turned),
        Query(limit=2, cursor=first.next[:-3]),
        Query(limit=2, cursor="☃"),
        Query(limit=2, cursor=first.next, type="raw"),
        Query(limit=2, cursor=first.next, offset=2),
    ):
        with pytest.raises(UsageError, match="cursor"):
            await catalogue.search(query)
        with pytest.raises(UsageError, match="cursor"):
            [event async for event in catalogue.stream(query)]


async def test_only_the_sources_that_are_named_are_asked() -> None:
    home, far = Source("home", [made("a", 1)]), Source("far", [made("b", 2)])
    catalogue = federation(home, far)
    assert pids([await catalogue.search(Query(source=("FAR",)))]) == ["b"]
    assert not home.asked
    assert far.asked[0].source == ()
    with pytest.raises(UnknownNameError, match="nowhere"):
        await catalogue.search(Query(source=("nowhere",)))


async def test_where_no_source_answers_each_one_is_told() -> None:
    hung = Source("hung", hangs=True)
    down = Source("down", fault=CatalogueUnavailableError("down: says 503"))
    with pytest.raises(CatalogueUnavailableError) as refused:
        await federation(hung, down, timeout=0.01).search(Query())
    assert "hung: no answer in 0.01 s; down: says 503" in refused.value.message


async def test_deep_offsets_are_refused_with_the_way_to_go() -> None:
    with pytest.raises(UsageError, match="cursor"):
        await federation(Source("home")).search(Query(offset=990, limit=50))
