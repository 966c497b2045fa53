"""What may come next in a search: names of fields, values that there are, techniques."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from nearfield.querying.fields import FIELDS, Field, field_named
from nearfield.querying.values import EXACT

MAX_ITEMS = 20

_OPENING = '"“„«'
_NAMED = re.compile(r"([^\W\d][\w-]*):\s*(.*)", re.DOTALL)
# Some words to begin with, for fields whose values no catalogue counts.
_TIMES = ("today", "yesterday", "7d", "30d", "1y")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Completion(_Model):
    """One thing that may be put in."""

    insert: str
    label: str
    kind: Literal["field", "value", "technique"]
    count: int | None = None
    """How many datasets have the value."""


class Completions(_Model):
    """What may replace the characters from ``start`` to ``end``."""

    start: int
    end: int
    items: tuple[Completion, ...] = ()


def field_at(text: str, at: int) -> str | None:
    """The field of :class:`Query` whose value stands at ``at``; ``None`` where none does."""
    field = _context(text, _inside(text, at))[0]
    return None if field is None else field.target


def complete(
    text: str,
    at: int,
    *,
    values: Mapping[str, Mapping[str, int | None]] | None = None,
    techniques: Iterable[tuple[str, str]] = (),
) -> Completions:
    """What may stand at the cursor; never raises, whatever the text is.

    Args:
        text: The search as far as it is typed.
        at: Where the cursor is, in characters.
        values: By field of ``Query`` the values that there are, with their numbers
            (``Facets.counts``) or without.
        techniques: Names of techniques that may be searched for, each with its whole name.
    """
    at = _inside(text, at)
    field, start, typed = _context(text, at)
    end = _end(text, at)
    wanted = typed.lstrip(_OPENING).casefold()
    if field is None:
        items = list(_fields(wanted)) if typed[:1] not in tuple(_OPENING) else []
    else:
        items = list(_values(field, wanted, values or {}, techniques))
    return Completions(start=start, end=max(start, end), items=tuple(items[:MAX_ITEMS]))


def _inside(text: str, at: int) -> int:
    return min(max(at, 0), len(text))


def _context(text: str, at: int) -> tuple[Field | None, int, str]:
    """The field before the cursor, where the part that is typed begins, and the part."""
    start = _term_start(text, at)
    term = text[start:at]
    named = _NAMED.fullmatch(term)
    field = field_named(named.group(1)) if named else None
    if named is None or field is None:
        return None, start, term
    offset = start + named.start(2)
    # After a comma the next value begins, unless the comma is in quotes.
    value = named.group(2)
    if field.kind in ("choice", "word"):
        last = _last_comma(value)
        after = value[last:]
        blanks = len(after) - len(after.lstrip())
        offset, value = offset + last + blanks, after.lstrip()
        if value.startswith(EXACT):
            offset, value = offset + len(EXACT), value.removeprefix(EXACT)
    return field, offset, value


def _term_start(text: str, at: int) -> int:
    """Where the term at the cursor begins: after the last blank that is in no quotes.

    A blank after ``field:`` or after a comma does not end a term.
    """
    start, quote = 0, False
    for number, character in enumerate(text[:at]):
        if character == '"':
            quote = not quote
        elif character.isspace() and not quote:
            before = text[start:number].rstrip()
            name = before.removesuffix(":")
            goes_on = before.endswith(",") and ":" in before
            if not goes_on and not (before.endswith(":") and field_named(name)):
                start = number + 1
    return start


def _last_comma(value: str) -> int:
    quote, last = False, 0
    for number, character in enumerate(value):
        if character == '"':
            quote = not quote
        elif character == "," and not quote:
            last = number + 1
    return last


def _end(text: str, at: int) -> int:
    """The word that the cursor is in is replaced to its end."""
    while at < len(text) and not text[at].isspace() and text[at] not in ',"':
        at += 1
    return at


def _fields(typed: str) -> Iterable[Completion]:
    for field in FIELDS:
        if any(name.startswith(typed) for name in (field.name, *field.synonyms)):
            yield Completion(
                insert=f"{field.name}:", label=f"{field.name}: {field.about}", kind="field"
            )


def _values(
    field: Field,
    typed: str,
    values: Mapping[str, Mapping[str, int | None]],
    techniques: Iterable[tuple[str, str]],
) -> Iterable[Completion]:
    known: dict[str, int | None] = dict.fromkeys(field.words)
    if field.kind in ("time", "period"):
        known.update(dict.fromkeys(_TIMES))
    counted = values.get(field.target, {})
    known.update((value, counted[value]) for value in sorted(counted, key=_often_first(counted)))
    told = set()
    for value, count in _matching(known, typed):
        told.add(value.casefold())
        yield Completion(insert=_written(value), label=value, kind="value", count=count)
    if field.target == "technique":
        labels = dict(techniques)
        for name, _ in _matching(dict.fromkeys(labels), typed):
            if name.casefold() not in told:
                label = name if labels[name] == name else f"{name}: {labels[name]}"
                yield Completion(insert=_written(name), label=label, kind="technique")


def _often_first(counted: Mapping[str, int | None]) -> Callable[[str], tuple[int, str]]:
    return lambda value: (-(counted[value] or 0), value)


def _matching(known: Mapping[str, int | None], typed: str) -> list[tuple[str, int | None]]:
    """Those that begin so first, then those that hold it."""
    begin = [item for item in known.items() if item[0].casefold().startswith(typed)]
    hold = [item for item in known.items() if typed in item[0].casefold()]
    return list(dict.fromkeys([*begin, *hold]))


def _written(value: str) -> str:
    plain = not any(c.isspace() or c in ',"“„«' for c in value)
    return value if plain else '"' + value.replace('"', " ") + '"'
