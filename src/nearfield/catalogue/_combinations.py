"""Fields of few values, counted together: what facets count without looking at each dataset."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from nearfield.datasets import Dataset
from nearfield.querying import Query
from nearfield.querying.values import WORDED, fitting
from nearfield.techniques import names_of

FACETS = ("type", "technique", "instrument", "facility", "format", "storage", "availability")
SINGLE = ("type", "instrument", "facility", "format", "storage", "availability")


class Values(NamedTuple):
    """The values of one or many datasets."""

    single: tuple[str | None, ...]
    """In the order of type, instrument, facility, format, storage, availability."""
    techniques: tuple[str, ...]
    technique_ids: tuple[str, ...]


def values_of(dataset: Dataset) -> Values:
    """Of one dataset."""
    return Values(
        (
            dataset.type,
            dataset.instrument or None,
            dataset.facility or None,
            dataset.format or None,
            dataset.storage or None,
            dataset.availability,
        ),
        dataset.techniques,
        dataset.technique_ids,
    )


def said_of(values: Values) -> str:
    """As they are stored: the same text for the same values."""
    return json.dumps(
        [values.single, *(sorted(set(names)) for names in values[1:])],
        ensure_ascii=False,
        separators=(",", ":"),
    )


@functools.lru_cache(maxsize=20_000)
def values_in(said: str) -> Values:
    """What :func:`said_of` has written."""
    single, techniques, ids = json.loads(said)
    return Values(tuple(single), tuple(techniques), tuple(ids))


def is_told_by(query: Query) -> bool:
    """Does a combination say of a dataset that it matches? Then nothing else need be asked."""
    other = (*query.phrases, *query.sample, *query.proposal, *query.owner, *query.keyword)
    times = query.since is not None or query.until is not None
    return not (
        query.text.strip() or other or times or query.conditions or query.input_dataset is not None
    )


def fits(query: Query, one: Values) -> bool:
    """Do the values match? Conditions on anything else are not looked at."""
    for name, value in zip(SINGLE, one.single, strict=True):
        wanted = getattr(query, name)
        if not wanted:
            continue
        choices = (wanted,) if isinstance(wanted, str) else wanted
        if value is None:
            return False
        if name in WORDED:
            if not _holds(choices, value):
                return False
        elif value.casefold() not in {choice.casefold() for choice in choices}:
            return False
    if not query.technique:
        return True
    have = {name.casefold() for name in (*one.techniques, *one.technique_ids)}
    return any(not have.isdisjoint(names_of(term)) for term in query.technique)


@functools.lru_cache(maxsize=20_000)
def _holds(choices: tuple[str, ...], value: str) -> bool:
    """The same few values are asked about in combination after combination."""
    return bool(fitting(choices, (value,)))


def facets_of(counted: Iterable[tuple[Values, int]]) -> dict[str, dict[str, int]]:
    """Counts by value, the most frequent first."""
    found: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for one, number in counted:
        for name, value in zip(SINGLE, one.single, strict=True):
            if value is not None:
                found[name][value] += number
        for technique in one.techniques:
            found["technique"][technique] += number
    return {
        name: dict(sorted(counts.items(), key=lambda count: (-count[1], count[0])))
        for name, counts in found.items()
    }
