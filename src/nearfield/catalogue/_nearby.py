"""A search that found nothing is told what its values may have meant."""

from __future__ import annotations

import asyncio

from nearfield.catalogue._protocol import Catalogue
from nearfield.errors import NearfieldError
from nearfield.querying import NearValues, Query
from nearfield.querying.near import asked_values, near_values

FIELDS = ("instrument", "technique", "facility", "sample", "proposal", "format", "storage")
MAX_ASKED = 3
"""So many values are looked at: each field is one question more."""
PATIENCE = 2.0
"""Seconds: an answer that nothing was found is not to wait long for proposals."""


async def nearby(catalogue: Catalogue, query: Query) -> tuple[NearValues, ...]:
    """Values like those of ``query``, among what the rest of it finds.

    Never raises what a catalogue says: then there are no proposals.
    """
    asked = asked_values(query, FIELDS)[:MAX_ASKED]
    if not asked or query.cursor is not None or query.offset:
        return ()
    found: list[NearValues] = []
    try:
        async with asyncio.timeout(PATIENCE):
            for field in dict.fromkeys(field for field, _ in asked):
                counts = await _counts(catalogue, query, field)
                near = (near_values(query, field, one, counts) for f, one in asked if f == field)
                found += [one for one in near if one is not None]
    except (NearfieldError, TimeoutError):
        pass
    return tuple(found)


async def _counts(catalogue: Catalogue, query: Query, field: str) -> dict[str, int]:
    rest = query.model_copy(update={field: (), "order": "newest"})
    return (await catalogue.facets(rest)).counts.get(field, {})
