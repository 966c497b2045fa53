"""What both dialects of Invenio are asked in the same way."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import TypeAdapter

from nearfield.catalogue._http import SourceClient
from nearfield.catalogue.invenio._rdm_records import Pids, RdmRecord
from nearfield.errors import SourceLoginError, SourceStatusError

_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class Reads(Protocol):
    """A server that knows records by their ids."""

    pids: Pids

    async def record(self, pid: str) -> tuple[RdmRecord | None, bool]:
        """The record, or the user's own draft; whether it is one that was never published."""
        ...


async def names_of_record(server: Reads, pid: str) -> tuple[str, ...]:
    """What other records call this one when they are derived from it."""
    record, _ = await server.record(pid)
    if record is None:
        return ()
    return tuple(one for one in (record.doi, server.pids.page(record.id)) if one)


async def picture_of_record(server: Reads, pid: str) -> str | None:
    """Where its thumbnail is: the smallest that is no blur on a card."""
    record, _ = await server.record(pid)
    sizes = record.links.get("thumbnails") if record is not None else None
    if not isinstance(sizes, dict):
        return None
    known = {int(s): url for s, url in sizes.items() if s.isdecimal() and isinstance(url, str)}
    big = sorted(size for size in known if size >= 250)
    return known[big[0] if big else max(known)] if known else None


async def unless_refused(
    client: SourceClient, path: str, *, for_some: bool = False
) -> dict[str, Any] | None:
    """``None`` where there is nothing that the user may see.

    ``for_some``: nobody without a log-in sees anything there, and that is no failure.
    """
    try:
        found: dict[str, Any] = await client.json("GET", path, adapter=_OBJECT)
        return found
    except SourceStatusError as error:
        if error.status in (403, 404, 410):
            return None
        raise
    except SourceLoginError:
        if for_some:
            return None
        raise
