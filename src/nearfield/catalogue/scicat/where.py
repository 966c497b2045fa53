"""A query as conditions of MongoDB, as SciCat's filters take them.

Of each condition there are two forms: ``maybe`` finds all that may hold, ``surely`` only what does
(``None``: nothing certain can be said). Where both find the same the source's own count is exact.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from nearfield.catalogue.scicat import patterns
from nearfield.catalogue.scicat.metadata import stored_paths
from nearfield.catalogue.scicat.pids import inside
from nearfield.querying import Condition, Query
from nearfield.querying.units import base_value
from nearfield.querying.values import fitting, value_tokens, whole_value
from nearfield.querying.words import is_blank, tokens, words_of
from nearfield.techniques import names_of

MAX_FILTER = 6000
"""Characters of a filter as it stands in an address; servers and proxies cut that at 8 kB, and
fields, limits and a cursor stand in it too."""
_TEXT_FIELDS = ("datasetName", "description", "techniques.name", "dataFormat", "keywords")
_SLACK = 1e-6
NOTHING: dict[str, Any] = {"pid": {"$in": []}}


@dataclass(frozen=True)
class Names:
    """What the fields are called: v3 has one instrument, sample and proposal, v4 has lists."""

    instrument: str = "instrumentIds"
    sample: str = "sampleIds"
    proposal: str = "proposalIds"


V4 = Names()
V3 = Names("instrumentId", "sampleId", "proposalId")


@dataclass(frozen=True)
class Where:
    """One condition, or several that hold together."""

    maybe: dict[str, Any]
    surely: dict[str, Any] | None

    @property
    def exact(self) -> bool:
        return self.maybe == self.surely


@dataclass(frozen=True)
class Known:
    """What has to be asked before: the instruments' names, and the names of scientific values."""

    instruments: Mapping[str, str]
    """By identifier."""
    paths: Mapping[str, tuple[str, ...]]
    """Names as the source writes them, by the name that a condition asks for."""
    computes: bool = True
    """Does the source compute in a filter (``$expr``): times from texts, one field from another?"""


def where_of(query: Query, names: Names, known: Known) -> Where:
    """The conditions of ``query``; ``source`` is not looked at."""
    found = [*_text(query, names, known), *_fields(query, names, known)]
    if query.input_dataset is not None:
        found.append(_made_from(inside(query.input_dataset)))
    found += _times(query, known)
    found += [_condition(condition, known) for condition in query.conditions]
    return together(found)


def together(found: Iterable[Where]) -> Where:
    """All of them; what makes the filter too long is left to the driver's own look."""
    maybe: list[dict[str, Any]] = []
    surely: list[dict[str, Any]] | None = []
    room = MAX_FILTER
    for one in found:
        length = written_length(one.maybe)
        if length > room:
            surely = None
            continue
        room -= length
        if one.maybe:
            maybe.append(one.maybe)
        if one.surely is None:
            surely = None
        elif surely is not None and one.surely:
            surely.append(one.surely)
    return Where(all_of(maybe), None if surely is None else all_of(surely))


def written_length(condition: dict[str, Any]) -> int:
    """Characters of a condition in an address."""
    return len(quote_plus(json.dumps(condition, ensure_ascii=False, separators=(",", ":"))))


def all_of(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"$and": conditions} if conditions else {}


def any_of(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    if not conditions:
        return NOTHING
    return conditions[0] if len(conditions) == 1 else {"$or": conditions}


def like(field: str, pattern: str) -> dict[str, Any]:
    # Shorter than the option of its own; every letter counts.
    return {field: {"$regex": f"(?i){pattern}"}}


def absent(field: str) -> dict[str, Any]:
    return {field: {"$in": [None, []]}}


def _same(condition: dict[str, Any]) -> Where:
    return Where(condition, condition)


def _text(query: Query, names: Names, known: Known) -> list[Where]:
    words = words_of(query.text)
    if not words and not is_blank(query.text):
        return [_same(NOTHING)]
    return [
        *(_words(word, names, known, whole=False) for word in words),
        *(_words(phrase, names, known, whole=True) for phrase in query.phrases),
    ]


def _words(text: str, names: Names, known: Known, *, whole: bool) -> Where:
    if not tokens(text):
        return _same(NOTHING)
    lists = (names.sample, names.proposal)
    # An instrument's name is not in the record: which ones fit is found here.
    fitting = [key for key, name in known.instruments.items() if _fits(text, name or key, whole)]
    instruments = [{names.instrument: {"$in": fitting}}] if fitting else []
    pattern = patterns.maybe(text, whole=whole)
    maybe = [like(field, pattern) for field in (*_TEXT_FIELDS, *lists, "creationLocation")]
    surely: dict[str, Any] | None = None
    if (sure := patterns.surely(text, whole=whole)) is not None:
        # Of a location all but the last part is the facility; the last is the instrument where no
        # other is told.
        facility = like("creationLocation", f"{sure}.*\\/[^\\/]+\\/?$")
        last = like("creationLocation", f"{sure}[^\\/]*\\/?$")
        place = [facility, all_of([absent(names.instrument), last])]
        surely = any_of(
            [*(like(field, sure) for field in (*_TEXT_FIELDS, *lists)), *place, *instruments]
        )
    return Where(any_of([*maybe, *instruments]), surely)


def _fits(text: str, name: str, whole: bool) -> bool:
    return re.search(patterns.maybe(text, whole=whole), name, re.IGNORECASE) is not None


def _fields(query: Query, names: Names, known: Known) -> list[Where]:
    found: list[Where] = []
    if query.type is not None:
        found.append(_same({"type": query.type}))
    if query.technique:
        found.append(_technique(query.technique))
    if query.instrument:
        found.append(_instrument(query.instrument, names, known))
    if query.facility:
        found.append(_facility(query.facility))
    for field, values in ((names.sample, query.sample), (names.proposal, query.proposal)):
        if values:
            # A record with several has them joined here, and that is no single one.
            one = _valued(values, field)
            alone = {f"{field}.1": {"$exists": False}}
            found.append(Where(one.maybe, all_of([one.surely, alone]) if one.surely else None))
    if query.owner:
        found.append(_valued(query.owner, "owner", "ownerGroup"))
    if query.keyword:
        found.append(_valued(query.keyword, "keywords"))
    if query.format:
        found.append(_valued(query.format, "dataFormat"))
    return found


def _valued(wanted: tuple[str, ...], *fields: str) -> Where:
    """One of the fields is one of these values, or has its words."""
    whole, worded = _parted(wanted)
    ways = [patterns.exactly(whole)]
    maybe = [patterns.maybe(text, whole=True) for text in worded]
    surely = [patterns.surely(text, whole=True) for text in worded]
    return Where(
        any_of([like(field, one) for one in (*ways, *maybe) for field in fields]),
        any_of([like(field, one) for one in (*ways, *surely) if one for field in fields]),
    )


def _parted(wanted: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """All that a whole value may be, and those that may be words of one."""
    whole = tuple(value if (said := whole_value(value)) is None else said for value in wanted)
    worded = [one for one in wanted if whole_value(one) is None and value_tokens(one)]
    return whole, [one.casefold() for one in worded]


def _facility(wanted: tuple[str, ...]) -> Where:
    """Of a location all but the last part; the whole of it where it has one part only."""
    whole, worded = _parted(wanted)
    pattern = patterns.exactly(whole)[1:-1]
    place = [
        like("creationLocation", f"^\\/*{pattern}\\/+[^\\/]+\\/*$"),
        like("creationLocation", f"^\\/*{pattern}\\/*$"),
    ]
    maybe = [like("creationLocation", patterns.maybe(text, whole=True)) for text in worded]
    surely = [
        like("creationLocation", f"{sure}.*\\/[^\\/]+\\/*$")
        for text in worded
        if (sure := patterns.within(text))
    ]
    return Where(any_of([*place, *maybe]), any_of([*place, *surely]))


def _made_from(pid: str | None) -> Where:
    listed = {"inputDatasets": pid}
    # One of a record's relationships has the PID, and one the kind: whether it is the same one is
    # seen here.
    related = all_of(
        [{"relationships.identifier": pid}, like("relationships.relationship", "^IsDerivedFrom$")]
    )
    return Where(any_of([listed, related]), listed)


def _technique(wanted: tuple[str, ...]) -> Where:
    terms = sorted({name for term in wanted for name in names_of(term)})
    numbers = [term.rpartition("/")[2] for term in terms if "/panet" in term]
    plain = tuple(term for term in terms if "/panet" not in term)
    ways = [like("techniques.name", patterns.exactly(plain))] if plain else []
    if numbers:
        ways.append(like("techniques.pid", f"(?:^|[\\/:])(?:{'|'.join(numbers)})$"))
    ways.append(like("techniques.pid", patterns.exactly(wanted)))
    return Where(any_of(ways), any_of(ways))


def _instrument(wanted: tuple[str, ...], names: Names, known: Known) -> Where:
    whole, worded = _parted(wanted)
    ids = [key for key, name in known.instruments.items() if fitting(wanted, [name or key])]
    unnamed = like(names.instrument, patterns.exactly(whole))
    ways = [unnamed, {names.instrument: {"$in": ids}}] if ids else [unnamed]
    place = like("creationLocation", f"[^\\/]\\/+{patterns.exactly(whole)[1:-1]}\\/*$")
    ways.append(all_of([absent(names.instrument), place]))
    # An instrument that is not in the list is shown by its identifier.
    ways_maybe = [
        one
        for text in worded
        for pattern in [patterns.maybe(text, whole=True)]
        for one in (
            like(names.instrument, pattern),
            all_of([absent(names.instrument), like("creationLocation", pattern)]),
        )
    ]
    return Where(any_of([*ways, *ways_maybe]), any_of(ways))


def _times(query: Query, known: Known) -> list[Where]:
    bounds = {"$gte": query.since, "$lte": query.until}
    said = {sign: _instant(time) for sign, time in bounds.items() if time is not None}
    if not said:
        return []
    if not known.computes:
        return [Where({}, None)]
    started = all_of(
        [{"startTime": {"$ne": None}}, *(_time("startTime", *b) for b in said.items())]
    )
    made = all_of([{"startTime": None}, *(_time("creationTime", *b) for b in said.items())])
    return [_same(any_of([started, made]))]


def _time(field: str, sign: str, time: str) -> dict[str, Any]:
    """A time compared, whether the backend turns texts in a filter into times or not."""
    computed = {"$expr": {sign: [f"${field}", {"$toDate": time}]}}
    return {"$or": [{field: {sign: time}}, computed]}


def after(made: str, pid: str) -> dict[str, Any]:
    """What comes after a dataset made at ``made``: older ones, and those as old by their PIDs."""
    older = {"$or": [{"creationTime": {"$lt": made}}, _computed("$lt", made)]}
    same = {"$or": [{"creationTime": made}, _computed("$eq", made)]}
    return {"$or": [older, {"$and": [same, {"pid": {"$gt": pid}}]}]}


def _computed(sign: str, time: str) -> dict[str, Any]:
    return {"$expr": {sign: ["$creationTime", {"$toDate": time}]}}


def _instant(time: datetime) -> str:
    """As MongoDB keeps it, in UTC. A naive time counts as UTC."""
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _condition(condition: Condition, known: Known) -> Where:
    """All that may fit: the driver compares with units itself, among fewer records."""
    ways: list[dict[str, Any]] = []
    for name in known.paths.get(condition.name, ()):
        for path in stored_paths(name):
            ways += _value(condition, path, known.computes)
    return Where(any_of(ways), NOTHING if not ways else None)


def _value(condition: Condition, path: str, computes: bool) -> list[dict[str, Any]]:
    if isinstance(condition.value, str):
        pattern = patterns.exactly((condition.value,))
        return [like(f"{path}{suffix}", pattern) for suffix in ("", ".value", ".v")]
    if condition.unit is None:
        near = _near(condition.op, condition.value)
        return [{f"{path}{suffix}": near} for suffix in ("", ".value", ".v")]
    asked = base_value(condition.value, condition.unit)
    if asked is None:
        return []
    if not computes:
        return [{f"{path}.{name}": {"$exists": True}} for name in ("unit", "u")]
    return [
        {f"{path}.valueSI": _near(condition.op, asked[0])},
        # Units that the backend does not know, or older records: to be looked at here.
        {f"{path}.valueSI": {"$exists": False}, f"{path}.unit": {"$exists": True}},
        {f"{path}.valueSI": {"$exists": False}, f"{path}.u": {"$exists": True}},
        {"$expr": {"$eq": [f"${path}.unitSI", f"${path}.unit"]}, f"{path}.unitSI": {"$ne": None}},
    ]


def _near(op: str, value: float) -> dict[str, float]:
    """A little wider than asked for: conversions round."""
    slack = abs(value) * _SLACK
    low, high = value - slack, value + slack
    return {
        "=": {"$gte": low, "$lte": high},
        ">": {"$gte": low},
        ">=": {"$gte": low},
        "<": {"$lte": high},
        "<=": {"$lte": high},
    }[op]
