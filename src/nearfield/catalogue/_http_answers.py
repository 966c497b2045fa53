"""What a source answers: read to a bound, understood or refused in words."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from nearfield.errors import CatalogueError

_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
# Of an answer that is an error only its words are of interest.
_MAX_COMPLAINT = 100_000


class TooLongError(CatalogueError):
    """More bytes than are read of one answer; of fewer records there would be fewer."""


@dataclass(frozen=True)
class Answer:
    """One answer, with its body."""

    status: int
    reason: str
    media_type: str
    """Without parameters, in small letters; empty where none is said."""
    content: bytes
    retry_after: float | None = None
    """Seconds, where the source says so."""

    @property
    def said(self) -> Any:
        """The body as JSON; ``None`` where it is none."""
        try:
            return from_json(self.content) if self.content else None
        except ValueError:
            return None


async def read_bounded(name: str, response: httpx.Response, limit: int) -> Answer:
    """Read no further than the limit.

    Raises:
        TooLongError: longer than the limit.
        CatalogueError: packed in a way that cannot be unpacked in parts.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise CatalogueError(
            f"{name}: an answer packed as {encoding[:40]!r}, which was not asked for",
            hint="tell the source's administrators",
        )
    room = limit if response.is_success else min(limit, _MAX_COMPLAINT)
    found = bytearray()
    async for piece in response.aiter_bytes():
        found += piece
        if len(found) > room:
            if not response.is_success:
                break
            raise TooLongError(
                f"{name}: an answer of more than {limit / 1e6:g} MB",
                hint="ask for fewer datasets at once, or more precisely",
            )
    return Answer(
        status=response.status_code,
        reason=response.reason_phrase,
        media_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
        content=bytes(found[:room]),
        retry_after=_seconds(response.headers.get("retry-after")),
    )


def parsed(name: str, answer: Answer, adapter: TypeAdapter[Any] | None) -> Any:
    """The JSON in an answer, as ``adapter`` reads it.

    Raises:
        CatalogueError: a web page, half a document, or something else than the adapter's.
    """
    body = answer.content
    if not body.strip():
        found = None
    else:
        if answer.media_type == "text/html" or body.lstrip()[:1] == b"<":
            raise CatalogueError(
                f"{name}: answered with a web page instead of data",
                hint="check its url: it may be the page for people, or lead to a log-in page",
            )
        try:
            found = _read(body)
        except (ValueError, RecursionError) as error:
            raise CatalogueError(
                f"{name}: an answer that is cut off or is no JSON ({len(body)} bytes)",
                hint="try again; if it stays so, check its url",
            ) from error
    if adapter is None:
        return found
    try:
        return adapter.validate_python(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CatalogueError(
            f"{name}: an answer of another kind than expected: {where or 'all'}: {first['msg']}",
            hint="check its url, and which version of the interface it speaks",
        ) from error


def _read(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        # Half a character in one title (a lone surrogate) is no reason to lose a whole page.
        return _mendable(json.loads(body))


def _mendable(said: Any) -> Any:
    """The same with a question mark for each half character."""
    if isinstance(said, str):
        return said.encode("utf-8", "replace").decode()
    if isinstance(said, list):
        return [_mendable(one) for one in said]
    if isinstance(said, dict):
        return {_mendable(key): _mendable(value) for key, value in said.items()}
    return said


def mended(error: httpx.HTTPError) -> bool:
    """Can the same request go well a moment later?"""
    if isinstance(error, httpx.ConnectError):
        from nearfield.catalogue._http_errors import certificate_problem

        return certificate_problem(error) is None
    return isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` in seconds; its other form, a date, is not worth a clock of our own."""
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None
