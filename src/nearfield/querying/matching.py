"""Does a dataset match a query? The meaning that every driver's own search is held to.

For drivers without an index, for what a source cannot filter by itself, and as the oracle of the
tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from nearfield.datasets import Dataset
from nearfield.querying.bounds import compared, is_exact
from nearfield.querying.model import Condition, Query
from nearfield.querying.times import instant
from nearfield.querying.units import base_value
from nearfield.querying.values import fitting
from nearfield.querying.words import (
    has_phrase,
    is_blank,
    matches,
    text_of_dataset,
    words_of,
)
from nearfield.techniques import names_of

# Numbers beyond it, and what is none, are not compared.
MAX_NUMBER = 1e300
_COMPARED = (int, float, str)


def holds(query: Query, dataset: Dataset) -> bool:
    """Does ``dataset`` satisfy every condition? Rights and ``source`` are not looked at."""
    return (
        _text(query, dataset)
        and query.type in (None, dataset.type)
        and _technique(query, dataset)
        and _by_words(query.instrument, [dataset.instrument])
        and _by_words(query.facility, [dataset.facility])
        and _by_words(query.sample, [dataset.sample])
        and _by_words(query.proposal, [dataset.proposal])
        and _by_words(query.owner, [dataset.access.owner, dataset.access.owner_group])
        and _by_words(query.keyword, dataset.keywords)
        and _by_words(query.format, [dataset.format])
        and _one_of(query.storage, [dataset.storage])
        and (not query.availability or dataset.availability in query.availability)
        and query.input_dataset in (None, *dataset.input_datasets)
        and _in_time(query, dataset)
        and all(condition_holds(condition, dataset.scientific) for condition in query.conditions)
    )


def _text(query: Query, dataset: Dataset) -> bool:
    words = words_of(query.text)
    if not words and not is_blank(query.text):
        return False
    if not words and not query.phrases:
        return True
    texts = text_of_dataset(dataset)
    return matches(words, *texts) and all(has_phrase(phrase, *texts) for phrase in query.phrases)


def relevance(query: Query, dataset: Dataset) -> int:
    """How well the text of a match fits; among equals the newest comes first.

    2: the title holds the words as they were typed, one after the other. 1: the title holds all
    words and phrases. 0: the rest of the record is needed.
    """
    words, title = words_of(query.text), dataset.title or ""
    if not words and not query.phrases:
        return 0
    if not (matches(words, title) and all(has_phrase(one, title) for one in query.phrases)):
        return 0
    return 2 if not words or matches([" ".join(words)], title) else 1


def _by_words(wanted: tuple[str, ...], values: Iterable[str | None]) -> bool:
    return not wanted or bool(fitting(wanted, (value for value in values if value)))


def _one_of(wanted: tuple[str, ...], values: Iterable[str | None]) -> bool:
    if not wanted:
        return True
    have = {value.casefold() for value in values if value}
    return any(value.casefold() in have for value in wanted)


def _technique(query: Query, dataset: Dataset) -> bool:
    """Any of the names that one of the asked techniques stands for."""
    if not query.technique:
        return True
    have = {name.casefold() for name in (*dataset.techniques, *dataset.technique_ids)}
    return any(not have.isdisjoint(names_of(term)) for term in query.technique)


def _in_time(query: Query, dataset: Dataset) -> bool:
    if query.since is None and query.until is None:
        return True
    time = dataset.start_time or dataset.created
    if time is None:
        return False
    at = instant(time)
    return (query.since is None or at >= instant(query.since)) and (
        query.until is None or at <= instant(query.until)
    )


def condition_holds(condition: Condition, scientific: dict[str, Any]) -> bool:
    """Is there a value of that name that fits?"""
    wanted = condition.name.casefold()
    return any(
        _fits(condition, value, unit)
        for name, value, unit in quantities(scientific)
        if name == wanted or PurePosixPath(name).name == wanted
    )


def quantities(scientific: dict[str, Any]) -> Iterator[tuple[str, float | str, str | None]]:
    """Name (no capitals), value and unit of all that a condition may ask for."""
    for name, said in scientific.items():
        value: Any = said
        unit: Any = None
        if isinstance(said, dict):
            value, unit = said.get("value"), said.get("unit")
        if isinstance(value, bool) or not isinstance(value, _COMPARED):
            continue
        if not isinstance(value, str) and not -MAX_NUMBER < value < MAX_NUMBER:
            continue
        yield name.casefold(), value, unit if isinstance(unit, str) else None


def _fits(condition: Condition, value: float | str, unit: str | None) -> bool:
    if isinstance(value, str) or isinstance(condition.value, str):
        # A number is no text, however it is written.
        if not isinstance(value, str) or not isinstance(condition.value, str):
            return False
        alike = value.casefold() == condition.value.casefold()
        return condition.op == "=" and condition.unit is None and alike
    if condition.unit is None:
        # As the file has it: who gives no unit means the number that is shown.
        have, want = float(value), float(condition.value)
    else:
        found = base_value(value, unit)
        asked = base_value(condition.value, condition.unit)
        if found is None or asked is None or found[1] != asked[1]:
            return False
        have, want = found[0], asked[0]
    exact = is_exact(condition.value, condition.unit)
    return compared(condition.op, have, want, exact=exact)
