"""Where a search over several sources goes on: the cursor made of the sources' own cursors."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nearfield.errors import UsageError
from nearfield.querying import Query

MAX_CURSOR = 8000
# Of so many datasets that were shown it is remembered that they were: 8 characters each.
MAX_SHOWN = 400
_CHECK = 12


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Position(_Model):
    """How far one source has been shown."""

    cursor: str | None = Field(default=None, max_length=MAX_CURSOR)
    """Of the source: where its present page begins; ``None`` for the first."""
    offset: int = Field(default=0, ge=0)
    """The same for a source without cursors."""
    skip: int = Field(default=0, ge=0, le=1000)
    """How many of that page have been shown."""
    before: int = Field(default=0, ge=0)
    """How many of the source have been shown altogether."""


class Positions(_Model):
    """Where a search goes on. A source that is not named has no more, or did not answer."""

    sources: dict[str, Position]
    total: int = Field(default=0, ge=0)
    """As it was counted with the first page."""
    total_exact: bool = True
    shown: tuple[str, ...] = ()
    """Short marks of what was shown, so that no other source shows it again."""


def mark(key: str) -> str:
    """A short mark of a dataset's name; two of a million are alike once in a million times."""
    digest = hashlib.blake2b(key.encode(), digest_size=6).digest()
    return base64.urlsafe_b64encode(digest).decode()


def write_cursor(positions: Positions, query: Query) -> str:
    """As text, with a check that tells it from a damaged one and from another search's.

    Raises:
        UsageError: the sources' own cursors are too long.
    """
    body = positions.model_dump(mode="json", exclude_defaults=True)
    packed = zlib.compress(json.dumps(body, separators=(",", ":")).encode(), 9)
    text = base64.urlsafe_b64encode(_check(packed, query) + packed).decode().rstrip("=")
    if len(text) > MAX_CURSOR:
        raise UsageError("the search cannot go on: its cursor is too long", hint="narrow it down")
    return text


def read_cursor(text: str, query: Query) -> Positions:
    """What :func:`write_cursor` wrote for the same search.

    Raises:
        UsageError: it was changed, or is of another search.
    """
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        check, packed = raw[:_CHECK], raw[_CHECK:]
        if check != _check(packed, query):
            raise ValueError("another search's")
        unpack = zlib.decompressobj()
        body = unpack.decompress(packed, 100_000)
        if unpack.unconsumed_tail:
            raise ValueError("too large")
        return Positions.model_validate(json.loads(body))
    except (ValueError, zlib.error, ValidationError, RecursionError) as error:
        raise UsageError(
            "cursor: not of this search, or damaged", hint="search again from the beginning"
        ) from error


def _check(packed: bytes, query: Query) -> bytes:
    # Not a signature: whoever makes one up sees no more than what he may see anyway.
    # Without times: "the last 12 hours" are others with every page.
    said: dict[str, Any] = query.model_dump(
        mode="json", exclude={"cursor", "limit", "offset", "since", "until"}
    )
    key = hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=32).digest()
    return hashlib.blake2b(packed, key=key, digest_size=_CHECK).digest()


def remembered(shown: Iterable[str]) -> tuple[str, ...]:
    """The latest marks, as many as there is room for."""
    return tuple(dict.fromkeys(shown))[-MAX_SHOWN:]
