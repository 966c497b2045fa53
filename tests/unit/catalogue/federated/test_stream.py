"""Results as they come, whatever the other sources do."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing

import pytest

from nearfield.catalogue import FederatedCatalogue, FederatedSource, stream_search
from nearfield.errors import BlockedError, CatalogueUnavailableError, UnsupportedQueryError
from nearfield.querying import AlsoEvent, DatasetsEvent, EndEvent, Query, SourceEvent

from .conftest import Source, federation, made

DOI = "10.5281/zenodo.17"


async def test_a_source_is_told_when_it_answers_and_not_when_all_have() -> None:
    slow, quick = Source("slow", [made("a", 1)], hangs=True), Source("quick", [made("b", 0)])
    events = []
    async with aclosing(federation(slow, quick).stream(Query())) as stream:
        async for event in stream:
            events.append(event)
            if isinstance(event, SourceEvent) and event.source == "quick" and event.total:
                # What quick found has been told; only now slow may go on.
                slow.open.set()
    told = [e.datasets[0].pid for e in events if isinstance(e, DatasetsEvent)]
    assert told == ["b", "a"]
    states = [(e.source, e.state) for e in events if isinstance(e, SourceEvent)]
    assert states[:2] == [("slow", "asking"), ("quick", "asking")]
    assert states[2:] == [("quick", "answered"), ("slow", "answered")]
    assert events[-1] == EndEvent(total=2)


async def test_each_failure_is_a_state_and_the_others_answers_count() -> None:
    hung = Source("hung", hangs=True)
    sources = [
        FederatedSource("good", Source("good", [made("a", 1)])),
        FederatedSource("hung", hung, timeout=0.01),
        FederatedSource("odd", Source("odd", fault=KeyError("a-token"))),
        FederatedSource("down", Source("down", fault=CatalogueUnavailableError("down: says 503"))),
        FederatedSource("poor", Source("poor", filters=frozenset({"text"}))),
        FederatedSource("bare", None, problem=BlockedError("no driver", hint="install it")),
    ]
    query = Query(type="raw")
    events = [event async for event in FederatedCatalogue(sources).stream(query)]
    states = {e.source: e for e in events if isinstance(e, SourceEvent) and e.state != "asking"}
    assert {name: state.state for name, state in states.items()} == {
        "good": "answered",
        "hung": "timeout",
        "odd": "failed",
        "down": "failed",
        "poor": "unsupported",
        "bare": "failed",
    }
    assert states["hung"].message == "no answer in 0.01 s"
    assert states["down"].message == "says 503"
    # Not in the exception's words: they may hold what nobody should read.
    assert re.fullmatch(r"unexpected KeyError in \w+\.py, line \d+", states["odd"].message or "")
    assert states["poor"].message == "cannot search by type"
    assert (states["bare"].message, states["bare"].hint) == ("no driver", "install it")
    assert hung.given_up == 1
    assert [e.datasets[0].pid for e in events if isinstance(e, DatasetsEvent)] == ["a"]
    # There may be more where nobody answered.
    assert events[-1] == EndEvent(total=1, total_exact=False)


async def test_what_was_told_is_told_once_and_where_else_it_is() -> None:
    one = Source("one", [made("x", 3, doi=DOI), made("a", 1)])
    two = Source("two", [made(f"https://doi.org/{DOI.upper()}", 3), made("b", 2)], hangs=True)
    events = []
    async for event in federation(one, two).stream(Query()):
        events.append(event)
        if isinstance(event, DatasetsEvent):
            two.open.set()
    told = [d.pid for e in events if isinstance(e, DatasetsEvent) for d in e.datasets]
    assert told == ["x", "a", "b"]
    assert [e for e in events if isinstance(e, AlsoEvent)] == [AlsoEvent(pid="x", source="two")]
    assert events[-1] == EndEvent(total=3)


async def test_names_of_a_source_alone_make_no_dataset_the_same() -> None:
    one, two = Source("one", [made("42", 1)]), Source("two", [made("42", 1)])
    events = [event async for event in federation(one, two).stream(Query())]
    assert [e.source for e in events if isinstance(e, DatasetsEvent)] == ["one", "two"]


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_leaving_ends_all_questions(how: str) -> None:
    quick, hung = Source("quick", [made("a", 1)]), Source("hung", hangs=True)
    catalogue = federation(quick, hung)

    async def read() -> None:
        async with aclosing(stream_search(catalogue, Query())) as stream:
            async for event in stream:
                if isinstance(event, DatasetsEvent):
                    if how == "close":
                        return
                    raise asyncio.CancelledError

    task = asyncio.create_task(read())
    await asyncio.wait([task])
    assert task.cancelled() == (how == "cancel")
    assert hung.given_up == 1


async def test_a_query_that_no_source_can_apply_is_refused() -> None:
    poor = frozenset({"text"})
    catalogue = federation(Source("one", filters=poor), Source("two", filters=poor))
    with pytest.raises(UnsupportedQueryError):
        [event async for event in catalogue.stream(Query(type="raw"))]


async def test_pages_of_a_stream_go_on_where_each_source_was() -> None:
    one = Source("one", [made(f"a{n}", n) for n in range(5)], cursors=True)
    two = Source("two", [made(f"b{n}", n) for n in range(2)])
    catalogue, told, cursor = federation(one, two), [], None
    for _ in range(3):
        async for event in catalogue.stream(Query(limit=2, cursor=cursor)):
            if isinstance(event, DatasetsEvent):
                told += [d.pid for d in event.datasets]
            elif isinstance(event, EndEvent):
                cursor = event.next
                assert event.total == 7
    assert cursor is None
    assert sorted(told) == ["a0", "a1", "a2", "a3", "a4", "b0", "b1"]
    assert len(two.asked) == 1


async def test_one_catalogue_alone_has_the_same_events() -> None:
    events = [event async for event in stream_search(Source("one", [made("a", 1)]), Query())]
    assert [event.event for event in events] == ["source", "datasets", "source", "end"]
    assert events[-1] == EndEvent(total=1)
    down = Source("down", fault=CatalogueUnavailableError("down: no answer"))
    events = [event async for event in stream_search(down, Query())]
    assert [event.event for event in events] == ["source", "source", "end"]
