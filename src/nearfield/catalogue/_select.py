"""A query, with the rights of one user, as SQL over the embedded catalogue's tables."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nearfield.catalogue._combinations import FACETS, fits, is_told_by, values_in
from nearfield.catalogue._match import Matcher, all_of, tagged
from nearfield.catalogue._measured import FEW, FEWEST, Measurement, measurements
from nearfield.catalogue._slots import window
from nearfield.catalogue._tags import embargo_key, keys_of
from nearfield.datasets import Dataset, Principal
from nearfield.querying import Query
from nearfield.querying.matching import holds, relevance
from nearfield.querying.times import instant

# With more keys than this, rights are looked up row by row.
MAX_KEYS = 64


@dataclass(slots=True)
class Selection:
    """Parts of a statement that gives numbers of datasets, the newest first.

    Every value of a user's is a parameter; the texts are fixed.
    """

    matches: list[str]
    """What the full-text search must find, the best first; empty: it is not needed."""
    where: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    """Of which the row of a hit is needed; ``d`` for dataset, ``k`` for kind."""
    whole: str | None = None
    """What all of them together find."""
    slow: bool = False
    """Is each hit looked up in the table of quantities?"""
    lists: list[list[int]] = field(default_factory=list)
    """The hits themselves, where they were read already, the best first."""
    few: str | None = None
    """Numbers to begin with, where a condition leaves so few."""

    def only(self, pids: Sequence[str]) -> None:
        """Nothing but these."""
        self.where.append(
            "hit.id IN (SELECT id FROM dataset WHERE pid IN (SELECT value FROM json_each(:pids)))"
        )
        self.values["pids"] = json.dumps(list(pids))

    @property
    def tiers(self) -> int:
        """How many statements there are; one after the other they give all."""
        return max(1, len(self.matches), len(self.lists))

    def statement(self, tier: int | None = 0) -> tuple[str, dict[str, Any]]:
        """``SELECT`` of the numbers, without a limit; in their order. ``None``: of all tiers."""
        values = {"low": 0, "high": sys.maxsize, **self.values}
        where = ["{0} BETWEEN :low AND :high", *self.where]
        if self.lists:
            chosen = self.lists if tier is None else [self.lists[tier]]
            values["numbers"] = json.dumps([number for one in chosen for number in one])
        if self.matches:
            values["match"] = self.whole if tier is None else self.matches[tier]
            source, number = "words hit", "hit.rowid"
            where = ["words MATCH :match", *where]
        else:
            source, number = "kind hit", "hit.id"
        if self.few is not None:
            # One by one: neither the index nor the table is walked through.
            where.insert(0, f"{number} IN ({self.few})")
        # CROSS JOIN keeps the order: the index gives its hits from the newest on.
        joined = "".join(_JOINS[name].format(number) for name in dict.fromkeys(self.tables))
        conditions = " AND ".join(where).replace("{0}", number).replace("hit.id", number)
        return (
            f"SELECT {number} AS id FROM {source}{joined} WHERE {conditions} ORDER BY {number}",  # noqa: S608
            values,
        )


_JOINS = {
    "d": " CROSS JOIN dataset d ON d.id = {0}",
    "k": " CROSS JOIN kind k ON k.id = {0}",
}


def select(connection: sqlite3.Connection, query: Query, user: Principal, now: float) -> Selection:
    """What ``user`` may see of what matches."""
    found = Selection([])
    conditions = sorted(measurements(connection, query), key=lambda one: one.number)
    for one in conditions:
        found.values |= one.values
    few = conditions[0] if conditions and conditions[0].number < FEW else None
    if few is not None and is_told_by(query.model_copy(update=_APART)):
        # The words of the index would only say once more what the rows say.
        found.few = few.subset
        _by_rows(connection, found, query, user, now)
    else:
        if few is not None and few.number <= FEWEST:
            return _read(connection, few, query, user, now)
        _by_words(connection, found, query, user, now)
        if few is not None:
            # Unary plus: a test of what the words find, not a list to go through.
            found.where.append(f"+hit.id IN ({few.subset})")
    tests = [one.test for one in conditions if one is not few]
    found.where += tests
    found.slow = bool(tests)
    _times(found, query)
    return found


def _read(
    connection: sqlite3.Connection, few: Measurement, query: Query, user: Principal, now: float
) -> Selection:
    """So few are read as a whole: for each of them the words would have to be looked up anew."""
    rows = connection.execute(
        f"SELECT id, document FROM record WHERE id IN ({few.subset})",  # noqa: S608
        few.values,
    )
    tiers: list[list[int]] = [[], [], []] if query.order == "relevance" else [[]]
    moment = datetime.fromtimestamp(now, UTC)
    for number, document in rows:
        dataset = Dataset.model_validate_json(document)
        if dataset.access.visible_to(user, moment) and holds(query, dataset):
            tiers[-1 - relevance(query, dataset) if len(tiers) > 1 else 0].append(number)
    return Selection([], lists=tiers, few="SELECT value FROM json_each(:numbers)")


# With these apart, is all else told by fields of few values?
_APART = {"conditions": (), "since": None, "until": None}


def _by_words(
    connection: sqlite3.Connection, found: Selection, query: Query, user: Principal, now: float
) -> None:
    """Words, fields and rights in one look at the full-text index."""
    matcher = Matcher(connection, query)
    parts = matcher.fields()
    key = _rights(connection, found, user, now)
    if key is not None:
        parts.append(key)
    if query.order == "relevance":
        found.matches = [
            " AND ".join([f"({tier})", *(f"({part})" for part in parts)])
            for tier in matcher.tiers()
        ]
    found.whole = all_of([*matcher.text(), *parts])
    if not found.matches and found.whole is not None:
        found.matches = [found.whole]


def _by_rows(
    connection: sqlite3.Connection, found: Selection, query: Query, user: Principal, now: float
) -> None:
    """Fields and rights by the row of each hit."""
    if not user.admin:
        _seen(connection, found, user, now)
    if any(getattr(query, name) for name in FACETS):
        rows = connection.execute("SELECT id, said FROM combination")
        kinds = [number for number, said in rows if fits(query, values_in(said))]
        found.tables.append("k")
        found.where.append("k.combination IN (SELECT value FROM json_each(:kinds))")
        found.values["kinds"] = json.dumps(kinds)


def _seen(connection: sqlite3.Connection, found: Selection, user: Principal, now: float) -> None:
    """Only what one of the user's audiences may see."""
    found.tables.append("k")
    found.where.append("k.audience IN (SELECT value FROM json_each(:audiences))")
    found.values["audiences"] = json.dumps(visible_audiences(connection, user, now))


def visible_audiences(
    connection: sqlite3.Connection, user: Principal, now: float
) -> list[int] | None:
    """The audiences that ``user`` is one of; ``None`` for all of them."""
    if user.admin:
        return None
    rows = connection.execute(
        "SELECT audience FROM audience_key WHERE key IN (SELECT value FROM json_each(?))"
        " UNION SELECT id FROM audience WHERE opens <= ?",
        (json.dumps(keys_of(user)), now),
    )
    return [number for (number,) in rows]


def _rights(
    connection: sqlite3.Connection, found: Selection, user: Principal, now: float
) -> str | None:
    """Words of which a hit must have one; with very many, a condition on its row instead."""
    if user.admin:
        return None
    held = connection.execute(
        "SELECT DISTINCT k.key FROM json_each(?) held CROSS JOIN audience_key k"
        " ON k.key = held.value LIMIT ?",
        (json.dumps(keys_of(user)), MAX_KEYS + 1),
    )
    over = connection.execute(
        "SELECT DISTINCT opens FROM audience WHERE opens <= ? LIMIT ?", (now, MAX_KEYS + 1)
    )
    keys = [*(key for (key,) in held), *(embargo_key(opens) for (opens,) in over)]
    if len(keys) <= MAX_KEYS:
        return tagged("access", keys)
    _seen(connection, found, user, now)
    return None


def _times(found: Selection, query: Query) -> None:
    since = None if query.since is None else instant(query.since)
    until = None if query.until is None else instant(query.until)
    if since is None and until is None:
        return
    # The numbers bring it near, the time itself decides.
    found.values["low"], found.values["high"] = window(since, until)
    found.tables.append("d")
    found.where += ["d.time >= :since"] if since is not None else []
    found.where += ["d.time <= :until"] if until is not None else []
    found.values |= {"since": since, "until": until}
