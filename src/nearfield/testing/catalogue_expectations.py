"""What a source must find in given records, worked out from what it says that it can do.

The contract suite writes down what Nearfield's own catalogues find. Another source may hold less of
a record and look for words otherwise: what it must find follows from the records as it holds them,
the meaning of a query (:mod:`nearfield.querying.matching`) and its capabilities.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from nearfield.catalogue import ALL_FILTERS, Capabilities
from nearfield.datasets import Dataset
from nearfield.querying import Query
from nearfield.querying.matching import holds
from nearfield.querying.times import instant
from nearfield.querying.words import is_blank, tokens, words_of


def refused_filters(capabilities: Capabilities, query: Query) -> set[str]:
    """Conditions of ``query`` that such a source cannot apply."""
    return {field for field in ALL_FILTERS if getattr(query, field)} - capabilities.filters


def found_in(held: Iterable[Dataset], query: Query, capabilities: Capabilities) -> list[str]:
    """PIDs of what must be found in ``held``, newest first, those without a time last."""
    rest = query.model_copy(update={"text": "", "phrases": ()})
    found = [
        dataset
        for dataset in held
        if holds(rest, dataset)
        and _has_words(query.text, dataset, capabilities)
        and all(_has_phrase(phrase, dataset, capabilities) for phrase in query.phrases)
    ]
    return [dataset.pid for dataset in sorted(found, key=_newest_first)]


def facets_of(held: Iterable[Dataset], name: str) -> dict[str, int]:
    """Counts of one facet over ``held``."""
    values: Counter[str] = Counter()
    for dataset in held:
        if name == "type":
            values.update([dataset.type])
        elif name == "technique":
            values.update(set(dataset.techniques))
        elif name == "keyword":
            values.update(set(dataset.keywords))
        else:
            said = getattr(dataset, name)
            values.update([said] if said else [])
    return dict(values)


def _has_words(text: str, dataset: Dataset, capabilities: Capabilities) -> bool:
    words = words_of(text)
    if not words:
        return is_blank(text)
    fields = [f for name, f in _fields(dataset) if name in capabilities.text_fields]
    if capabilities.words == "inside":
        return all(any(_core(word) in f.casefold() for f in fields) for word in words)
    have = [token for field in fields for token in _tokens(field, capabilities)]
    return all(
        any(one.startswith(token) for one in have)
        for word in words
        for token in _tokens(word, capabilities)
    )


def _has_phrase(phrase: str, dataset: Dataset, capabilities: Capabilities) -> bool:
    fields = [f for name, f in _fields(dataset) if name in capabilities.text_fields]
    if capabilities.words == "inside":
        core = _core(" ".join(phrase.split()))
        return bool(core) and any(core in field.casefold() for field in fields)
    want = _tokens(phrase, capabilities)
    return bool(want) and any(
        have[at : at + len(want)] == want
        for have in (_tokens(field, capabilities) for field in fields)
        for at in range(len(have))
    )


def _tokens(text: str, capabilities: Capabilities) -> list[str]:
    if capabilities.accents:
        return tokens(text)
    return re.findall(r"[^\W_]+", text.casefold())


def _core(word: str) -> str:
    """Without the signs around it."""
    return re.sub(r"^[\W_]+|[\W_]+$", "", word).casefold()


def _fields(dataset: Dataset) -> Iterator[tuple[str, str]]:
    said = {
        "title": [dataset.title],
        "description": [dataset.description],
        "technique": dataset.techniques,
        "instrument": [dataset.instrument],
        "facility": [dataset.facility],
        "sample": [dataset.sample],
        "proposal": [dataset.proposal],
        "format": [dataset.format],
        "keyword": dataset.keywords,
        "file": [PurePosixPath(file.path).name for file in dataset.files],
    }
    for name, values in said.items():
        for value in values:
            if value:
                yield name, value


def _newest_first(dataset: Dataset) -> tuple[bool, float, str]:
    time = dataset.start_time or dataset.created
    return time is None, 0.0 if time is None else -instant(time), dataset.pid
