"""Invenio's search syntax, as far as a driver needs it; anything else is a syntax error.

Elasticsearch's query strings of ``AND``, ``OR`` in brackets, ``NOT``, phrases, beginnings of words,
and ``field:`` with a value, a phrase, a range or a regular expression. Texts are analysed as
InvenioRDM's mappings say: titles and descriptions without signs and accents, other texts split at
signs (``record-v7.0.0.json`` of invenio-rdm-records).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

_TOKEN = re.compile(
    r"\s+"
    r'|(?P<phrase>"(?:[^"\\]|\\.)*")'
    r"|(?P<regex>/(?:[^/\\]|\\.)+/)"
    r"|(?P<sign>[()\[\]:])"
    r"|(?P<word>[\w.-]+\*?|\*)"
)
Kind = Literal["analysed", "text", "keyword", "date"]
Holds = Callable[[Mapping[str, Any]], bool]


class SearchError(ValueError):
    """What Invenio answers with 400."""


@dataclass(frozen=True)
class Field:
    """How one field is indexed, and its values in a record."""

    kind: Kind
    values: Callable[[Mapping[str, Any]], Sequence[Any]]
    default: bool = False
    """Looked at where no field is named."""


def compiled(text: str, fields: Mapping[str, Field]) -> Holds:
    """The query as a function of a record.

    Raises:
        SearchError: not understood, or of a field that is not there.
    """
    return _Parser(text, fields).whole()


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, Field]) -> None:
        self._tokens, self._at, self._fields = _tokens(text), 0, fields

    def whole(self) -> Holds:
        found = self._all()
        if self._peek()[0] != "end":
            raise SearchError(f"unexpected {self._peek()[1]!r}")
        return found

    def _all(self) -> Holds:
        parts = [self._one()]
        while self._take("AND"):
            parts.append(self._one())
        return lambda record: all(part(record) for part in parts)

    def _one(self) -> Holds:
        if self._take("NOT"):
            inner = self._one()
            return lambda record: not inner(record)
        if self._take("("):
            parts = [self._all()]
            while self._take("OR"):
                parts.append(self._all())
            self._need(")")
            return lambda record: any(part(record) for part in parts)
        kind, said = self._next()
        if said in ("AND", "OR", "NOT", "TO"):
            raise SearchError(f"unexpected {said}")
        if kind == "word" and self._take(":"):
            return self._of(said)
        anywhere = [field for field in self._fields.values() if field.default]
        if kind == "phrase":
            phrase = _unquoted(said)
            return lambda record: any(_phrase(field, phrase, record) for field in anywhere)
        if kind == "word" and len(said) > 1:
            return lambda record: any(_term(field, said, record) for field in anywhere)
        raise SearchError(f"unexpected {said!r}")

    def _of(self, name: str) -> Holds:
        if name not in self._fields:
            raise SearchError(f"unknown field {name!r}")
        field = self._fields[name]
        if self._take("["):
            low, high = self._bound(), self._bound(first=False)
            return lambda record: any(
                (low is None or value >= low) and (high is None or value <= high)
                for value in field.values(record)
            )
        kind, said = self._next()
        if kind == "phrase":
            return lambda record: _phrase(field, _unquoted(said), record)
        if kind == "regex" and field.kind == "keyword":
            wanted = re.compile(said[1:-1], re.DOTALL)
            return lambda record: any(wanted.fullmatch(value) for value in field.values(record))
        if kind == "word" and "*" not in said:
            return lambda record: _term(field, said, record)
        raise SearchError(f"unexpected {said!r}")

    def _bound(self, *, first: bool = True) -> datetime | None:
        kind, said = self._next()
        self._need("TO" if first else "]")
        if (kind, said) == ("word", "*"):
            return None
        if kind != "phrase":
            raise SearchError(f"unexpected {said!r}")
        return datetime.fromisoformat(_unquoted(said))

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise SearchError(f"expected {word}, not {self._peek()[1]!r}")

    def _take(self, word: str) -> bool:
        if self._peek() in (("word", word), ("sign", word)):
            self._at += 1
            return True
        return False

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        found = self._peek()
        self._at += 1
        return found


def analysed(text: str, kind: Kind) -> list[str]:
    """The tokens of a text in the index."""
    if kind == "analysed":
        plain = "".join(c for c in text if unicodedata.category(c)[0] not in "PS")
        folded = unicodedata.normalize("NFKD", plain)
        text = "".join(c for c in folded if not unicodedata.combining(c))
        return re.findall(r"\w+", text.lower())
    return re.findall(r"[^\W_]+(?:_[^\W_]+)*", text.lower())


def _phrase(field: Field, phrase: str, record: Mapping[str, Any]) -> bool:
    if field.kind in ("keyword", "date"):
        return phrase in field.values(record)
    want = analysed(phrase, field.kind)
    return bool(want) and any(
        have[at : at + len(want)] == want
        for have in (analysed(value, field.kind) for value in field.values(record))
        for at in range(len(have))
    )


def _term(field: Field, term: str, record: Mapping[str, Any]) -> bool:
    if not term.endswith("*"):
        return _phrase(field, term, record)
    if field.kind in ("keyword", "date"):
        return any(str(value).startswith(term[:-1]) for value in field.values(record))
    beginning = "".join(analysed(term[:-1], field.kind))
    return any(
        token.startswith(beginning)
        for value in field.values(record)
        for token in analysed(value, field.kind)
    )


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SearchError(f"unexpected {text[at]!r} at {at}")
        at = match.end()
        if match.lastgroup:
            found.append((match.lastgroup, match[match.lastgroup]))
    return found


def _unquoted(phrase: str) -> str:
    return re.sub(r"\\(.)", r"\1", phrase[1:-1])
