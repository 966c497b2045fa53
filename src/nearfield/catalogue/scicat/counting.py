"""Facets: the backend's counts, put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from nearfield.catalogue.scicat.backend import Backend
from nearfield.catalogue.scicat.mapping import location_of
from nearfield.catalogue.scicat.searching import Searcher
from nearfield.catalogue.scicat.where import Where, absent, all_of
from nearfield.datasets import Dataset
from nearfield.querying import Facets, Query

_ASKED = ("type", "techniques", "dataFormat", "keywords", "creationLocation")
Counts = dict[str, Counter[str]]


async def facets_of(searcher: Searcher, query: Query) -> Facets:
    """Counts by value; over a part of the matches where the source cannot tell them all."""
    return await searcher.planned(query, lambda asked, where: _facets(searcher, asked, where))


async def _facets(searcher: Searcher, query: Query, where: Where) -> Facets:
    total = await searcher.counted(where)
    if total is not None:
        backend = searcher.backend
        instruments = await backend.instruments()
        counts, counted = await _counts(backend, where, instruments)
        # More than there are: counted by something that does not know the conditions (a backend
        # may ask Elasticsearch instead).
        if counted <= total:
            return Facets(counts=_plain(counts), exact=counted == total)
    found, whole = await searcher.scan(query, where)
    return Facets(counts=_plain(_of_datasets(found.datasets)), exact=whole)


async def _counts(
    backend: Backend, where: Where, instruments: Mapping[str, str]
) -> tuple[Counts, int]:
    """Of what the user's groups may see, and of what is public besides."""
    parts: list[tuple[dict[str, Any], bool]] = [(where.maybe, False)]
    if not backend.anonymous:
        groups = sorted((await backend.account()).principal.groups)
        mine = [{"ownerGroup": {"$in": groups}}, {"accessGroups": {"$in": groups}}]
        others = [condition for condition in (where.maybe, {"$nor": mine}) if condition]
        parts.append((all_of(others), True))
    counts: Counts = {}
    total = 0
    for conditions, public in parts:
        part, number = await _part(backend, conditions, instruments, public)
        if public and total >= await backend.count(where.maybe):
            # The first count had all: the account sees everything.
            break
        for name, values in part.items():
            counts.setdefault(name, Counter()).update(values)
        total += number
    return counts, total


async def _part(
    backend: Backend, conditions: dict[str, Any], instruments: Mapping[str, str], public: bool
) -> tuple[Counts, int]:
    names = backend.names
    asked = [*_ASKED, names.instrument, names.sample, names.proposal]
    said = await backend.facets({"mode": conditions}, asked, public=public)
    found = {name: _values(said.get(name)) for name in asked}
    located: Counter[str] = Counter()
    if found["creationLocation"]:
        without = all_of([c for c in (conditions, absent(names.instrument)) if c])
        more = await backend.facets({"mode": without}, ["creationLocation"], public=public)
        for place, number in _values(more.get("creationLocation")).items():
            located.update({location_of(place)[1] or "": number})
    places: Counter[str] = Counter()
    for place, number in found["creationLocation"].items():
        places.update({location_of(place)[0] or "": number})
    named: Counter[str] = Counter(located)
    for key, number in found[names.instrument].items():
        named.update({instruments.get(key) or key: number})
    counts: Counts = {
        "type": found["type"],
        "technique": found["techniques"],
        "format": found["dataFormat"],
        "keyword": found["keywords"],
        "instrument": named,
        "facility": places,
        "sample": found[names.sample],
        "proposal": found[names.proposal],
    }
    for values in counts.values():
        values.pop("", None)
    return counts, _total(said)


def _values(said: Any) -> Counter[str]:
    """``[{"_id": value, "count": n}]``; a technique's value is its record, or a list of them."""
    found: Counter[str] = Counter()
    for one in said if isinstance(said, list) else ():
        if not isinstance(one, dict) or not isinstance(one.get("count"), int):
            continue
        value = one.get("_id")
        for part in value if isinstance(value, list) else [value]:
            name = part.get("name") or part.get("pid") if isinstance(part, dict) else part
            if isinstance(name, str) and name:
                found[name] += one["count"]
    return found


def _total(said: Mapping[str, Any]) -> int:
    every = said.get("all")
    first = every[0] if isinstance(every, list) and every else {}
    number = first.get("totalSets") if isinstance(first, dict) else None
    return number if isinstance(number, int) else 0


def _of_datasets(datasets: Iterable[Dataset]) -> Counts:
    counts: Counts = {}

    def count(name: str, values: Iterable[str | None]) -> None:
        counts.setdefault(name, Counter()).update({value for value in values if value})

    for one in datasets:
        count("type", [one.type])
        count("technique", one.techniques)
        count("instrument", [one.instrument])
        count("facility", [one.facility])
        count("format", [one.format])
        count("keyword", one.keywords)
        count("sample", [one.sample])
        count("proposal", [one.proposal])
    return counts


def _plain(counts: Counts) -> dict[str, dict[str, int]]:
    names = ("type", "technique", "instrument", "facility", "format", "keyword", "sample")
    every = (*names, "proposal")
    return {name: dict(counts.get(name, Counter()).most_common()) for name in every}
