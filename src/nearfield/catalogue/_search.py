"""Pages, totals and facet counts of a search in the embedded catalogue.

Hits come from the newest on and are read no further than needed: a page stops at its end, a count
at :data:`COUNTED`. Searches by fields of few values are counted from numbers that the writers keep.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nearfield.catalogue._combinations import facets_of, fits, is_told_by, values_in
from nearfield.catalogue._records import EVERYBODY
from nearfield.catalogue._select import Selection, select, visible_audiences
from nearfield.datasets import Principal
from nearfield.errors import UsageError
from nearfield.querying import Facets, Query
from nearfield.querying.cursors import cursor_of, position_in

# What is more is told as "10,000+", and facets are counted over as many of the newest.
COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """One page: numbers in their order, and what to say about all."""

    numbers: list[int]
    total: int
    exact: bool
    next: str | None


def page(
    connection: sqlite3.Connection,
    query: Query,
    user: Principal,
    now: float,
    pids: Sequence[str] = (),
) -> Found:
    """The page that ``query`` asks for; with ``pids`` only of those.

    Raises:
        UsageError: a cursor that is none of this search's.
    """
    tier, after = _place(query)
    selection = select(connection, query, user, now)
    if pids:
        selection.only(pids)
    told = is_told_by(query) and not pids
    bound = bound_of(selection)
    first = after < 0 and query.offset == 0 and selection.tiers == 1
    # The first page and the total of most searches are one look at the index.
    least = bound + 1 if first and not told else 0
    hits = _hits(connection, selection, query, (tier, after), least)
    numbers = hits[: query.limit]
    if told:
        total, exact = sum(n for _, n in _tallied(connection, query, user, now)), True
    elif least:
        total, exact = min(len(hits), bound), len(hits) <= bound
    else:
        total, exact = _total(connection, selection)
    if not exact:
        total = max(total, query.offset + len(numbers))
    more = len(hits) > query.limit
    return Found(
        [number for _, number in numbers],
        total,
        exact,
        cursor_of(query, list(numbers[-1])) if more else None,
    )


def facets(connection: sqlite3.Connection, query: Query, user: Principal, now: float) -> Facets:
    """Counts by value over all matches; over the newest of them where there are too many."""
    if is_told_by(query):
        counted = _tallied(connection, query, user, now)
        return Facets(counts=facets_of((values_in(said), number) for said, number in counted))
    whole = query.model_copy(update={"order": "newest"})
    selection = select(connection, whole, user, now)
    statement, values = selection.statement()
    rows = connection.execute(
        "SELECT c.said, h.number FROM (SELECT k.combination AS kind, count(*) AS number"  # noqa: S608
        f" FROM ({statement} LIMIT :cap) hit CROSS JOIN kind k ON k.id = hit.id"
        " GROUP BY k.combination) h JOIN combination c ON c.id = h.kind",
        {**values, "cap": bound_of(selection) + 1},
    ).fetchall()
    counts = facets_of((values_in(said), number) for said, number in rows)
    return Facets(counts=counts, exact=sum(number for _, number in rows) <= bound_of(selection))


def _place(query: Query) -> tuple[int, int]:
    """Tier and number of the last dataset of the page before."""
    position = position_in(query)
    if position is None:
        return 0, -1
    match position:
        case [int(tier), int(number)] if 0 <= tier <= 2 and 0 <= number < 1 << 63:
            return tier, number
    raise UsageError("cursor: not of a page of this search", hint="take it from the page before")


def _hits(
    connection: sqlite3.Connection,
    selection: Selection,
    query: Query,
    place: tuple[int, int],
    least: int,
) -> list[tuple[int, int]]:
    """Tier and number, at least one more than the page holds."""
    tier, after = place
    wanted = max(query.offset + query.limit + 1, least)
    found: list[tuple[int, int]] = []
    for number in range(tier, selection.tiers):
        statement, values = selection.statement(number)
        if number == tier:
            values["low"] = max(values["low"], after + 1)
        rows = connection.execute(
            f"{statement} LIMIT :count", {**values, "count": wanted - len(found)}
        )
        found += [(number, key) for (key,) in rows]
        if len(found) == wanted:
            break
    return found[query.offset :]


def _total(connection: sqlite3.Connection, selection: Selection) -> tuple[int, bool]:
    """How many match, counted no further than is told."""
    bound = bound_of(selection)
    statement, values = selection.statement(None)
    (number,) = connection.execute(
        f"SELECT count(*) FROM ({statement} LIMIT :cap)",  # noqa: S608
        {**values, "cap": bound + 1},
    ).fetchone()
    return min(number, bound), number <= bound


def bound_of(selection: Selection) -> int:
    """How far is counted; a tenth of it where each hit costs more."""
    return COUNTED // 10 if selection.slow else COUNTED


def _tallied(
    connection: sqlite3.Connection, query: Query, user: Principal, now: float
) -> Iterator[tuple[str, int]]:
    """Combinations that match, and how many datasets of each the user may see."""
    audiences = visible_audiences(connection, user, now)
    rows = connection.execute(
        "SELECT c.said, n.number FROM (SELECT t.combination AS kind, sum(t.number) AS number"
        " FROM tally t WHERE t.audience IN (SELECT value FROM json_each(?)) AND t.number > 0"
        " GROUP BY t.combination) n JOIN combination c ON c.id = n.kind",
        (json.dumps([EVERYBODY] if audiences is None else audiences),),
    )
    for said, number in rows:
        if fits(query, values_in(said)):
            yield said, number
