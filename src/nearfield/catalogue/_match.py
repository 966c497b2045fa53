"""A query's words, phrases and fields as one expression of SQLite's full-text search.

Inside double quotes FTS5 knows no operators; a quote is written twice
(https://sqlite.org/fts5.html#full_text_query_syntax).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence

from nearfield.catalogue._combinations import SINGLE, values_in
from nearfield.catalogue._tags import said_text, tag, word_tag
from nearfield.querying import Query
from nearfield.querying.values import fitting, value_tokens, whole_value
from nearfield.querying.words import is_blank, words_of
from nearfield.techniques import names_of

# A beginning that so few words have is asked for by these: their hits come one by one, where
# FTS5 collects all hits of a beginning first.
MAX_ENDINGS = 16
# Beginnings of so many letters are indexed themselves.
INDEXED = 3
NOTHING = '"\ue000"'
_TEXT, _TITLE = "{title rest}", "{title}"
_WHOLE = ("type", "storage", "availability")
# Of few values: which of those that there are fit is found out before.
_FEW = ("instrument", "facility", "format")
_MANY = ("sample", "proposal", "owner", "keyword")


def quoted(text: str) -> str:
    """``text`` as a phrase without operators."""
    clean = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return '"' + clean.replace('"', '""') + '"'


def tagged(kind: str, values: Iterable[str]) -> str:
    """Any of these values."""
    return one_of("tags", [f'"{tag(kind, value)}"' for value in values])


def worded(kind: str, values: Iterable[str]) -> str:
    """Any of these values, whole or by their words, of a field of many values."""
    terms: dict[str, None] = {}
    for value in values:
        whole = whole_value(value)
        terms[f'"{tag(kind, (value if whole is None else whole).casefold())}"'] = None
        words = value_tokens(value) if whole is None else ()
        if len(words) == 1:
            terms[f'"{tag(kind, words[0])}"'] = None
        if words:
            terms[f'"{" ".join(word_tag(kind, word) for word in words)}"'] = None
    return one_of("tags", list(terms))


def one_of(column: str, terms: Sequence[str]) -> str:
    """Any of these terms in the column; none of them finds nothing."""
    return f"{column} : ({' OR '.join(terms) or NOTHING})"


def all_of(parts: Sequence[str]) -> str | None:
    """All parts together; ``None`` where there are none."""
    return " AND ".join(f"({part})" for part in parts) or None


class Matcher:
    """Makes expressions for one search; looks up which words there are."""

    def __init__(self, connection: sqlite3.Connection, query: Query) -> None:
        self._connection, self._query = connection, query
        self._words = [self._beginning(word) for word in words_of(query.text)]
        self._phrases = [quoted(phrase) for phrase in query.phrases]

    def fields(self) -> list[str]:
        """The conditions on fields."""
        query = self._query
        found: list[str] = []
        for name in _WHOLE:
            said = getattr(query, name)
            if said:
                values = (said,) if isinstance(said, str) else said
                found.append(tagged(name, [value.casefold() for value in values]))
        found += [worded(name, said) for name in _MANY if (said := getattr(query, name))]
        for name in _FEW:
            if said := getattr(query, name):
                have = {value.casefold() for value in self._values(name)}
                found.append(tagged(name, sorted(fitting(said, have))))
        if query.technique:
            found.append(tagged("technique", self._techniques()))
        if query.input_dataset is not None:
            found.append(tagged("input", [query.input_dataset]))
        for condition in query.conditions:
            name = condition.name.casefold()
            if not isinstance(condition.value, str):
                found.append(tagged("number", [name]))
            elif condition.op == "=" and condition.unit is None:
                found.append(tagged("text", [said_text(name, condition.value)]))
            else:
                # Texts have no order and no unit.
                found.append(one_of("tags", []))
        return found

    def text(self) -> list[str]:
        """The words and phrases, wherever they are."""
        if not self._words and not is_blank(self._query.text):
            # Signs alone find nothing, as an empty phrase does.
            return [one_of(_TEXT, [])]
        return self._in(_TEXT)

    def tiers(self) -> list[str]:
        """The text once more by relevance, the best first; together they are all that matches.

        As :func:`nearfield.querying.matching.relevance` counts.
        """
        whole = all_of(self.text())
        if whole is None:
            return []
        title = all_of(self._in(_TITLE))
        if title is None:
            return [whole]
        words = words_of(self._query.text)
        if not words:
            return [f"({title})", f"({whole}) NOT ({title})"]
        run = f"{_TITLE} : {self._beginning(' '.join(words))}"
        return [
            f"({title}) AND ({run})",
            f"({title}) NOT ({run})",
            f"({whole}) NOT ({title})",
        ]

    def _in(self, column: str) -> list[str]:
        return [f"{column} : {term}" for term in (*self._words, *self._phrases)]

    def _values(self, name: str) -> set[str]:
        """All values of one field that any dataset has."""
        place = SINGLE.index(name)
        rows = self._connection.execute("SELECT said FROM combination")
        return {value for (said,) in rows if (value := values_in(said).single[place])}

    def _techniques(self) -> list[str]:
        """All names that are meant, as far as any dataset has them."""
        meant = frozenset().union(*(names_of(term) for term in self._query.technique))
        rows = self._connection.execute("SELECT name FROM technique")
        return sorted(name for (name,) in rows if name in meant)

    def _beginning(self, word: str) -> str:
        """The word, or run of words, of which the last one may go on."""
        phrase = quoted(word)
        parts = re.findall(r"[a-z0-9]+", word.lower()) if word.isascii() else []
        if not parts or len(parts[-1]) <= INDEXED:
            return f"{phrase} *"
        endings = self._endings(parts[-1])
        if endings is None:
            return f"{phrase} *"
        before = " ".join(parts[:-1])
        terms = [quoted(f"{before} {ending}".strip()) for ending in endings]
        return f"({' OR '.join(terms) or NOTHING})"

    def _endings(self, start: str) -> list[str] | None:
        """The words of the index that begin so; ``None`` where there are too many."""
        found: list[str] = []
        # The first word not below this one; asking again behind it skips all of its places.
        floor = start
        while len(found) <= MAX_ENDINGS:
            row = self._connection.execute(
                "SELECT term FROM temp.vocabulary WHERE term >= ? LIMIT 1", (floor,)
            ).fetchone()
            if row is None or not row[0].startswith(start):
                return found
            found.append(row[0])
            floor = row[0] + "\x01"
        return None
