"""A query as text that :func:`~nearfield.querying.language.parse` reads back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from nearfield.querying.fields import FIELDS
from nearfield.querying.model import Condition, Query
from nearfield.querying.periods import year_of


def to_text(query: Query) -> str:
    """What one would type for ``query``; limit, offset and cursor are not in it.

    For every query that :func:`parse` made: ``parse(to_text(query)) == query``.
    """
    return " ".join(part for part in _parts(query) if part)


def _parts(query: Query) -> Iterator[str]:
    yield query.text
    for phrase in query.phrases:
        yield _quoted(phrase)
    for field in FIELDS:
        if field.kind == "choice" or field.target == "availability":
            if values := getattr(query, field.target):
                yield f"{field.name}:{','.join(_value(value) for value in values)}"
        elif field.target == "type" and query.type:
            yield f"type:{query.type}"
        elif field.target == "order" and query.order != "newest":
            yield f"order:{query.order}"
    if query.input_dataset:
        yield f"derived-from:{_value(query.input_dataset, commas=True)}"
    yield _times(query.since, query.until)
    yield from _conditions(query.conditions)


def _times(since: datetime | None, until: datetime | None) -> str:
    year = year_of(since, until)
    if year is not None:
        return f"year:{year:04}"
    bounds = (("since", since), ("until", until))
    return " ".join(f"{name}:{_moment(time)}" for name, time in bounds if time is not None)


def _moment(time: datetime) -> str:
    return time.isoformat(timespec="microseconds" if time.microsecond else "seconds")


def _conditions(conditions: Iterable[Condition]) -> Iterator[str]:
    for condition in conditions:
        plain = condition.name.replace("/", "").replace(".", "").replace("-", "")
        name = condition.name if plain.isidentifier() else _quoted(condition.name)
        if isinstance(condition.value, str):
            yield f"{name}={_quoted(condition.value)}"
        elif condition.unit:
            yield f'{name}{condition.op}"{condition.value!r} {condition.unit}"'
        else:
            yield f"{name}{condition.op}{condition.value!r}"


def _value(value: str, *, commas: bool = False) -> str:
    """As it is where nothing in it could be read as something else."""
    risky = '"“„«' if commas else ',"“„«'
    plain = not any(c in risky or c.isspace() or c == "\0" for c in value)
    return value if plain and value else _quoted(value)


def _quoted(text: str) -> str:
    """In quotes that the text itself does not hold."""
    for opening, closing in (('"', '"'), ("“", "”"), ("«", "»")):
        if closing not in text:
            return f"{opening}{text}{closing}"
    return '"' + text.replace('"', " ") + '"'
