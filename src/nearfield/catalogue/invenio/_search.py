"""A query in the query string syntax that Invenio's search takes.

Whatever is not a word of letters and digits goes into quotes, where only the quote and the
backslash mean anything, or into a regular expression of which every sign is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from nearfield.querying import Query
from nearfield.querying.values import value_tokens, whole_value
from nearfield.querying.words import is_blank, tokens, words_of

FILTERS = frozenset(
    {"text", "phrases", "type", "keyword", "input_dataset", "since", "until", "source"}
)
TEXT_FIELDS = frozenset({"title", "description", "keyword"})
_PUNCTUATION = re.compile(r"[^\w]|_")


@dataclass(frozen=True)
class Fields:
    """What a dialect calls the fields that conditions are made on."""

    created: str
    keyword: str
    """Not analysed: one whole keyword."""
    relation: str
    derived_from: str
    """The value of ``relation`` for inputs."""
    related: str
    identifier: str
    doi: str
    all_versions: str
    """The DOI of a record in all its versions."""
    datasets: str
    """A condition: only datasets."""


def query_string(query: Query, fields: Fields, input_names: tuple[str, ...] = ()) -> str | None:
    """The query; ``None`` where nothing can match.

    ``input_names`` are the identifiers that records give of ``query.input_dataset``.
    """
    found = [fields.datasets]
    words = words_of(query.text)
    if not words and not is_blank(query.text):
        return None
    found += [_word(word) for word in words]
    for phrase in query.phrases:
        if not tokens(phrase):
            return None
        found.append(quoted(phrase))
    derived = f"{fields.relation}:{fields.derived_from}"
    if query.type is not None:
        found.append(derived if query.type == "derived" else f"NOT {derived}")
    if query.keyword:
        found.append(_any(f"{fields.keyword}:{_valued(value)}" for value in query.keyword))
    if query.input_dataset is not None:
        if not input_names:
            return None
        found.append(_any(f"{fields.related}:{quoted(name)}" for name in input_names))
        found.append(derived)
    if query.since is not None:
        found.append(f'{fields.created}:["{_time(query.since)}" TO *]')
    if query.until is not None:
        found.append(f'{fields.created}:[* TO "{_time(query.until)}"]')
    return " AND ".join(found)


def quoted(text: str) -> str:
    """``text`` as a phrase."""
    clean = " ".join(text.replace("\0", " ").split())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _word(word: str) -> str:
    """A word as it stands, or as the beginning of one.

    InvenioRDM leaves signs out of titles, so that ``x-ray`` is ``xray`` there, and splits at them
    elsewhere: the phrase is analysed as each field is.
    """
    found = [quoted(word)]
    # Of a word without letters there is no beginning; a star alone would find everything.
    found += [f"{plain}*"] if (plain := _PUNCTUATION.sub("", word)) else []
    parts = [part for part in re.split(r"\W+", word) if _PUNCTUATION.sub("", part)]
    if len(parts) > 1:
        found.append("(" + " AND ".join(f"{part}*" for part in parts) + ")")
    return _any(found)


def _any(conditions: Iterable[str]) -> str:
    return "(" + " OR ".join(conditions) + ")"


# What parts words: ASCII that is neither letter nor digit, and the signs of typesetters.
_SIGN = r"[\ -\/\:-\@\[-\`\{-\~" + "\u00a0\u00b7\u2000-\u206f]"


def _valued(wanted: str) -> str:
    """A regular expression for a whole value, or for one with these words in it."""
    whole = whole_value(wanted)
    if whole is not None:
        return f"/{_folded(whole)}/"
    words = value_tokens(wanted)
    if not words:
        return f"/{_folded(wanted)}/"
    run = f"{_SIGN}+".join(map(_folded, words))
    return f"/{_folded(wanted)}|(.*{_SIGN})?{run}({_SIGN}.*)?/"


def _folded(value: str) -> str:
    """A regular expression for just this text, whatever the case."""
    found = ""
    for sign in value.replace("\0", "\ufffd"):
        cases = {sign, sign.lower(), sign.upper()}
        if len(cases) > 1 and all(len(one) == 1 for one in cases):
            found += "[" + "".join(sorted(cases)) + "]"
        elif sign.isalnum():
            found += sign
        elif not sign.isprintable():
            # A line's end would end the expression: any sign will do.
            found += "."
        else:
            found += "\\" + sign
    return found


def _time(time: datetime) -> str:
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()
