"""A query as a filter of the PaNOSC search API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from nearfield.catalogue.panosc.mapping import SAMPLES
from nearfield.datasets import Dataset
from nearfield.querying import Condition, Query
from nearfield.querying.values import fitting, whole_value
from nearfield.querying.words import words_of
from nearfield.techniques import label_of, names_of, technique_ids

# What is always wanted of a dataset, but for its files, of which there may be many.
_SHOWN = ("techniques", "instrument", "parameters", "samples", "document")
# Of each dataset in a list; one that is asked for by its PID has all of them.
MAX_FILES = 1000
FILTERS = frozenset(
    {
        "text",
        "technique",
        "instrument",
        "facility",
        "sample",
        "proposal",
        "since",
        "until",
        "conditions",
        "source",
    }
)
Words = Literal["text", "like", "plain"]
"""How words are asked for. By ``text``, as the API has it; but the reference server reads it
nowhere below ``and``, and SciCat's not at all: they are asked for the title. ``plain``: without
signs for "anything", where the value is a regular expression."""
_OPERATORS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def search_filter(query: Query, limit: int, skip: int, words: Words = "text") -> dict[str, Any]:
    """Everything of ``query`` that this API can be asked, with the relations that are shown."""
    scopes = _scopes(query)
    include: list[dict[str, Any]] = [
        {"relation": name, "scope": {"where": where}} for name, where in scopes
    ]
    chosen = {name for name, _ in scopes}
    # A parameter condition shows its own parameter alone: all of them are one relation more.
    include += [{"relation": name} for name in _SHOWN if name not in chosen]
    if "parameters" in chosen:
        include.append({"relation": "parameters"})
    include.append({"relation": "files", "scope": {"limit": MAX_FILES}})
    said: dict[str, Any] = {"include": include, "limit": limit, "skip": skip}
    if where := search_where(query, words):
        said["where"] = where
    if query.order == "relevance" and words_of(query.text):
        # For servers that score; to the others it is nothing.
        said["query"] = query.text
    return said


def without_documents(said: dict[str, Any]) -> dict[str, Any]:
    """The same filter for a server whose datasets have no documents; with a condition on them
    it stays as it is, and the server refuses it."""
    include = [one for one in said.get("include", ()) if one != {"relation": "document"}]
    return {**said, "include": include} if "include" in said else said


def only_where(query: Query) -> bool:
    """Can ``count`` be asked, which knows no relations?"""
    return not _scopes(query)


def probe_filter(title: str) -> dict[str, Any] | None:
    """What finds a dataset of this title where words are understood; ``None``: it has none."""
    found = [word for word in re.findall(r"[^\W_]+", title) if len(word) > 2]
    if not found:
        return None
    return {"where": {"and": [{"text": found[0]}, {"text": found[0]}]}, "limit": 1, "skip": 0}


def search_where(query: Query, words: Words = "text") -> dict[str, Any]:
    """The conditions on the dataset itself."""
    terms = [_word(word, words) for word in words_of(query.text)]
    if query.since is not None:
        terms.append({"creationDate": {"gte": query.since.isoformat()}})
    if query.until is not None:
        terms.append({"creationDate": {"lte": query.until.isoformat()}})
    if len(terms) > 1:
        return {"and": terms}
    return terms[0] if terms else {}


def _word(word: str, words: Words) -> dict[str, Any]:
    if words == "text":
        return {"text": word}
    plain = re.sub(r"([\\^$.|?*+()\[\]{}])", r"\\\1", word)
    return {"title": {"ilike": f"%{word}%" if words == "like" else plain}}


def one_filter() -> dict[str, Any]:
    """What is wanted of one dataset."""
    return {"include": [{"relation": name} for name in (*_SHOWN, "files")]}


def _scopes(query: Query) -> list[tuple[str, dict[str, Any]]]:
    """Relations, each with what one of a dataset's must be."""
    found: list[tuple[str, dict[str, Any]]] = []
    if query.technique:
        found.append(("techniques", _techniques(query.technique)))
    instrument = [
        _one_of(name, values)
        for name, values in (("name", query.instrument), ("facility", query.facility))
        if values
    ]
    if instrument:
        found.append(("instrument", {"and": instrument} if len(instrument) > 1 else instrument[0]))
    if query.sample:
        found.append(("samples", _one_of("name", query.sample)))
    if query.proposal:
        found.append(("document", _one_of("title", query.proposal)))
    return found + [("parameters", _parameter(one)) for one in query.conditions]


def _one_of(name: str, values: tuple[str, ...]) -> dict[str, Any]:
    terms = [term for value in values for term in _one_value(name, value)]
    return {"or": terms} if len(terms) > 1 else terms[0]


def _one_value(name: str, wanted: str) -> Iterator[dict[str, Any]]:
    """All that may be meant; :func:`fits` looks at what comes back.

    ilike: case does not count. A "%" in a name would stand for anything: such a name is asked for
    as it is written.
    """
    whole = whole_value(wanted)
    value = wanted if whole is None else whole
    # With their accents: servers that leave them out of account do so themselves.
    words = re.findall(r"[^\W_]+", value) if whole is None else []
    # Of a single plain word the pattern finds the whole value, too.
    if words != [value]:
        yield {name: value if "%" in value else {"ilike": value}}
    if words:
        yield {name: {"ilike": f"%{'%'.join(words)}%"}}


def is_looked_at(query: Query) -> bool:
    """Does the source find more than is meant?"""
    said = (*query.instrument, *query.facility, *query.sample, *query.proposal)
    return any(whole_value(one) is None for one in said)


def fits(query: Query, dataset: Dataset) -> bool:
    """Is a dataset what was meant by the words of its values?"""
    samples = [dataset.sample, *(dataset.sample or "").split(SAMPLES)]
    return all(
        not wanted or bool(fitting(wanted, (value for value in values if value)))
        for wanted, values in (
            (query.instrument, [dataset.instrument]),
            (query.facility, [dataset.facility]),
            (query.sample, samples),
            (query.proposal, [dataset.proposal]),
        )
    )


def _techniques(values: tuple[str, ...]) -> dict[str, Any]:
    """Identifiers and names, the narrower ones too, for servers that know no ontology."""
    pids: dict[str, None] = {}
    names: dict[str, None] = {}
    for value in values:
        names[value] = None
        ids = technique_ids(name for name in names_of(value) if name.startswith("http"))
        pids.update(dict.fromkeys(ids))
        names.update({label: None for one in ids if (label := label_of(one))})
        if value.startswith("http"):
            pids[value] = None
    by_name = {"name": {"inq": list(names)}}
    return {"or": [{"pid": {"inq": list(pids)}}, by_name]} if pids else by_name


def _parameter(condition: Condition) -> dict[str, Any]:
    value: Any = condition.value
    if condition.op != "=":
        value = {_OPERATORS[condition.op]: value}
    terms: list[dict[str, Any]] = [{"name": condition.name}, {"value": value}]
    if condition.unit is not None:
        terms.append({"unit": condition.unit})
    return {"and": terms}


def finds_nothing(query: Query) -> bool:
    """A text is compared with ``=`` and without a unit; asked otherwise it is never found.

    A text of signs alone is not found either.
    """
    if query.text.strip() and not words_of(query.text):
        return True
    return any(
        isinstance(one.value, str) and (one.op != "=" or one.unit is not None)
        for one in query.conditions
    )
