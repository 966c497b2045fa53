"""Which whole names in an ICAT are meant by some of their words.

Its query language cannot tell where a word ends. So the names that hold the words' letters are
asked for first, looked at here, and the search then asks for those that are meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nearfield.catalogue.icat import _jpql as jpql
from nearfield.catalogue.icat._asking import IcatServer
from nearfield.errors import UsageError
from nearfield.querying import Query
from nearfield.querying.values import fitting, value_tokens, whole_value

MAX_NAMES = 200
MAX_LOOKED_AT = 4000
_PLACES = {
    "instrument": (("Instrument", "name"),),
    "facility": (("Facility", "name"), ("Facility", "fullName")),
    "sample": (("Sample", "name"),),
    "proposal": (("Investigation", "name"),),
    "keyword": (("Keyword", "name"),),
}


async def with_whole_names(server: IcatServer, query: Query) -> Query | None:
    """``query`` with the whole names that it means; ``None`` where the ICAT has none of them.

    Raises:
        UsageError: so many names fit that they cannot be asked for.
        CatalogueError: as SourceClient says.
    """
    asked = {name: said for name in _PLACES if (said := getattr(query, name))}
    found = await asyncio.gather(*(_names(server, name, said) for name, said in asked.items()))
    if not all(found):
        return None
    return query.model_copy(update=dict(zip(asked, map(tuple, found), strict=True)))


async def _names(server: IcatServer, field: str, wanted: Sequence[str]) -> list[str]:
    whole = [value for one in wanted if (value := whole_value(one)) is not None]
    worded = [one for one in wanted if whole_value(one) is None]
    parts = [await _alike(server, *place, worded) for place in _PLACES[field]] if worded else []
    names = list(dict.fromkeys([*whole, *(name for part in parts for name in part)]))
    if len(names) > MAX_NAMES:
        raise UsageError(
            f"{server.name}: {field}: more than {MAX_NAMES} names have these words",
            hint="give more of the name",
        )
    return names


async def _alike(server: IcatServer, entity: str, path: str, wanted: Sequence[str]) -> list[str]:
    holding = jpql.any_of(_letters(f"x.{path}", one) for one in wanted)
    rows = await server.rows(
        f"SELECT x.{path}, COUNT(x) FROM {entity} x WHERE {holding} "
        f"GROUP BY x.{path} LIMIT 0, {MAX_LOOKED_AT}"
    )
    if len(rows) >= MAX_LOOKED_AT:
        raise UsageError(
            f"{server.name}: too many names of its {entity} records are like {wanted[0][:60]!r}",
            hint=f"give more of the name, or all of it with a =: ={wanted[0][:60]}",
        )
    names = [row[0] for row in rows if isinstance(row, list) and row and isinstance(row[0], str)]
    return fitting(wanted, names)


def _letters(path: str, wanted: str) -> str:
    """What all names have that are meant."""
    # Accents count in its comparisons: the longest word without any is looked for.
    plain = [word for word in value_tokens(wanted) if word.isascii() and word in wanted.lower()]
    return jpql.holds(path, max(plain, key=len)) if plain else f"{path} IS NOT NULL"
