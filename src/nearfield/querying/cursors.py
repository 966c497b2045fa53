"""``Page.next``: a place in the results of one search, as an opaque text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from nearfield.errors import UsageError
from nearfield.querying.model import Query

# What may change from page to page of one search; of "the last 12 hours" the times do.
_PAGING = {"limit", "offset", "cursor", "since", "until"}


def cursor_of(query: Query, position: Any) -> str:
    """``position`` (anything that JSON can hold) in the results of ``query``."""
    text = json.dumps([_mark(query), position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_in(query: Query) -> Any:
    """The position that ``query.cursor`` holds; ``None`` without a cursor.

    Raises:
        UsageError: a cursor of another search, one together with an offset, or none at all.
    """
    if query.cursor is None:
        return None
    if query.offset:
        raise UsageError("cursor and offset: give one of them")
    try:
        padded = query.cursor.encode("ascii") + b"=" * (-len(query.cursor) % 4)
        mark, position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise _wrong() from error
    if mark != _mark(query):
        raise _wrong()
    return position


def _wrong() -> UsageError:
    return UsageError(
        "cursor: not of a page of this search", hint="take it from the page before, unchanged"
    )


def _mark(query: Query) -> str:
    """The same for all pages of one search."""
    said = query.model_dump_json(exclude=_PAGING, exclude_defaults=True)
    return hashlib.sha256(said.encode()).hexdigest()[:12]
