"""Cursors of sources that page by number."""

from __future__ import annotations

import hashlib
import re

from nearfield.errors import UsageError
from nearfield.querying import Query

_CURSOR = re.compile(r"from:([0-9]{1,9}):([0-9a-f]{16})")


def first_of(query: Query) -> int:
    """How many datasets come before the page that is asked for.

    Raises:
        UsageError: a cursor that is not of such a source, or one together with an offset.
    """
    if query.cursor is None:
        return query.offset
    found = _CURSOR.fullmatch(query.cursor)
    if found is None or query.offset or found[2] != _mark(query):
        raise UsageError(
            "cursor: not one of this search", hint="take Page.next as it is, without an offset"
        )
    return int(found[1])


def next_of(query: Query, first: int, shown: int, total: int) -> str | None:
    """``Page.next`` after ``shown`` of ``total`` datasets from ``first`` on."""
    more = shown and first + shown < total
    return f"from:{first + shown}:{_mark(query)}" if more else None


def _mark(query: Query) -> str:
    """Which search this is, whatever its page."""
    # Without times: "the last 12 hours" are others with every page.
    same = {"cursor": None, "offset": 0, "limit": 50, "since": None, "until": None}
    said = query.model_copy(update=same)
    return hashlib.sha256(said.model_dump_json().encode()).hexdigest()[:16]
