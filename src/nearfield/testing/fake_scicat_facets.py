"""The counts of a SciCat backend (``fullfacet``), for :mod:`.fake_scicat`, with their quirks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from nearfield.testing.fake_scicat_filters import fits, values_at
from nearfield.testing.fake_scicat_records import Record

_LISTS = frozenset(
    ["techniques", "keywords", "instrumentIds", "sampleIds", "proposalIds", "accessGroups"]
)


def facets(
    records: Iterable[Record], fields: Record, names: list[str], groups: Iterable[str] | None
) -> list[Record]:
    """``groups``: whose records are counted; public ones of others are not, though they are found.

    Conditions in ``mode`` are an aggregation's: texts are not turned into times.
    """
    found = []
    for record in records:
        mine = {record.get("ownerGroup"), *record.get("accessGroups", ())}
        if groups is not None and mine.isdisjoint(groups):
            continue
        if all(_holds(record, key, value) for key, value in fields.items()):
            found.append(record)
    answer: Record = {
        name: _counted(found, name) for name in names if not name.startswith("datasetlifecycle.")
    }
    answer["all"] = [{"totalSets": len(found)}] if found else []
    return [answer]


def _holds(record: Record, key: str, value: Any) -> bool:
    if key == "mode":
        return fits(record, value, cast=False)
    if isinstance(value, dict) and "begin" in value:
        time = record.get(key)
        begin, end = (datetime.fromisoformat(value[name]) for name in ("begin", "end"))
        return isinstance(time, datetime) and begin <= time <= end
    if isinstance(value, list):
        return any(one in value for one in values_at(record, [key]))
    return value in list(values_at(record, [key]))


def _counted(records: list[Record], name: str) -> list[Record]:
    counts: Counter[str] = Counter()
    for record in records:
        value = record.get(name)
        values = value if name in _LISTS and isinstance(value, list) else [value]
        # By its text, as a technique is a record of its own.
        counts.update(json.dumps(one, sort_keys=True) for one in values)
    return [{"_id": json.loads(text), "count": number} for text, number in counts.items()]
