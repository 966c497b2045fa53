"""Values in ICAT's query language (JPQL), so that no value is ever read as a part of the query.

ICAT's tokenizer (``org.icatproject.core.parser.Tokenizer``) knows one kind of literal text, in
single quotes with a quote written twice; between tokens it takes blanks alone. A backslash means
itself. In LIKE an escape character of our own is named, as databases differ in theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo

ESCAPE = "!"
MAX_QUERY = 7500
"""Characters of a query, encoded: it is sent in the URL, and servers read 8 KiB of headers."""


def text(value: str) -> str:
    """``value`` as a literal. A NUL, which would end the query, becomes the replacement mark."""
    clean = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return "'" + clean.replace("'", "''") + "'"


def same(path: str, values: Iterable[str]) -> str:
    """``path`` is one of ``values``, whatever the case."""
    return f"LOWER({path}) IN ({', '.join(text(value.lower()) for value in values)})"


def holds(path: str, needle: str) -> str:
    """``needle`` stands somewhere in ``path``, whatever the case."""
    escaped = needle.lower()
    for sign in (ESCAPE, "%", "_"):
        escaped = escaped.replace(sign, ESCAPE + sign)
    said = f"LOWER({path}) LIKE {text(f'%{escaped}%')}"
    # Some databases have the backslash as their own; what needs none is kept short.
    return f"{said} ESCAPE '{ESCAPE}'" if escaped != needle.lower() or "\\" in needle else said


def number(value: float) -> str:
    """A number that ICAT's tokenizer reads, of either sign.

    Raises:
        ValueError: not a finite number.
    """
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    whole = f"{abs(value):.17g}".replace("e+", "e")
    return f"(0 - {whole})" if value < 0 else whole


def moment(time: datetime, zone: tzinfo, *, up: bool = False) -> str:
    """A time in the server's zone, to the second; ``up``: the next full one. Naive means UTC."""
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    if aware.microsecond:
        aware = aware.replace(microsecond=0) + timedelta(seconds=1 if up else 0)
    local = aware.astimezone(zone)
    # strftime leaves out the zeros of years before 1000.
    return f"{{ts {local.year:04d}-{local:%m-%d %H:%M:%S}}}"


def any_of(conditions: Iterable[str]) -> str:
    """One of them holds; none of none."""
    return "(" + (" OR ".join(conditions) or "1 = 0") + ")"


def ids(values: Iterable[int]) -> str:
    """A list for IN; ids are never negative."""
    return "(" + (", ".join(str(int(value)) for value in values) or "-1") + ")"
