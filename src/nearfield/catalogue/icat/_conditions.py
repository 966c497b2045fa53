"""A query as conditions on ICAT's datasets.

Every condition is one on the dataset itself or ``d.id IN (SELECT …)``: joins would count a dataset
once for each of its keywords, and two words could not be found in two of them. Rights are ICAT's:
it adds its rules to whatever is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from functools import partial

from nearfield.catalogue.icat import _jpql as jpql
from nearfield.catalogue.icat._entities import Named, ParameterType
from nearfield.catalogue.icat._records import DERIVED_TYPES, Pids
from nearfield.querying import Condition, Query
from nearfield.querying.bounds import border, interval, is_exact
from nearfield.querying.units import base_value
from nearfield.querying.words import is_blank, words_of
from nearfield.techniques import names_of

TEXT_FIELDS = frozenset(
    {"title", "description", "technique", "instrument", "sample", "proposal", "keyword"}
)
FILTERS = (TEXT_FIELDS - {"title", "description"}) | {
    "facility",
    *("text", "phrases", "type", "input_dataset", "since", "until", "conditions", "source"),
}
NOTHING = "1 = 0"
_Condition = Callable[[str], str]
_OWN = ("d.name", "d.description", "d.investigation.name", "d.investigation.title")
_FACILITY = ("d.investigation.facility.name", "d.investigation.facility.fullName")
_RELATED = {
    "technique": "SELECT x.dataset.id FROM DatasetTechnique x WHERE {x.technique.name}",
    "instrument": "SELECT x.dataset.id FROM DatasetInstrument x WHERE {x.instrument.name}",
    "sample": "SELECT x.id FROM Dataset x JOIN x.sample s WHERE {s.name}",
}
_KEYWORD = "SELECT x.investigation.id FROM Keyword x WHERE {x.name}"


def conditions_of(
    query: Query,
    *,
    result_type: str,
    zone: tzinfo,
    pids: Pids,
    techniques: Sequence[Named] = (),
    parameter_types: Mapping[int, Sequence[ParameterType]] | None = None,
) -> list[str]:
    """All conditions, to be joined with AND; values of fields are whole names (``_naming``).

    ``techniques`` are those that the server knows; ``parameter_types`` those that the name of
    each of the query's conditions may mean, by the condition's position.
    """
    found = [_word(word) for word in words_of(query.text)]
    if not found and not is_blank(query.text):
        found.append(NOTHING)
    found += [_word(" ".join(phrase.split())) for phrase in query.phrases]
    if query.type is not None:
        results = jpql.same("d.type.name", sorted({result_type.lower(), *DERIVED_TYPES}))
        found.append(results if query.type == "derived" else f"NOT {results}")
    if query.technique:
        found.append(_techniques(query.technique, techniques))
    for field, values in (("instrument", query.instrument), ("sample", query.sample)):
        if values:
            found.append(_related(_RELATED[field], partial(jpql.same, values=values)))
    if query.keyword:
        said = _filled(_KEYWORD, lambda path: jpql.same(path, query.keyword))
        found.append(f"d.investigation.id IN ({said})")
    if query.facility:
        found.append(jpql.any_of(jpql.same(path, query.facility) for path in _FACILITY))
    if query.proposal:
        found.append(jpql.same("d.investigation.name", query.proposal))
    if query.input_dataset is not None:
        found.append(_derived_from(query.input_dataset, pids))
    if query.since is not None:
        found.append(f"d.startDate >= {jpql.moment(query.since, zone, up=True)}")
    if query.until is not None:
        found.append(f"d.startDate <= {jpql.moment(query.until, zone)}")
    for position, condition in enumerate(query.conditions):
        types = (parameter_types or {}).get(position, ())
        found.append(_parameter(condition, types))
    return found


def _word(word: str) -> str:
    core = re.sub(r"^[\W_]+|[\W_]+$", "", word)
    return _anywhere(core) if core else NOTHING


def _anywhere(needle: str) -> str:
    found = [jpql.holds(path, needle) for path in _OWN]
    found += [_related(query, lambda path: jpql.holds(path, needle)) for query in _RELATED.values()]
    said = _filled(_KEYWORD, lambda path: jpql.holds(path, needle))
    return jpql.any_of([*found, f"d.investigation.id IN ({said})"])


def _related(query: str, condition: _Condition) -> str:
    return f"d.id IN ({_filled(query, condition)})"


def _filled(query: str, condition: _Condition) -> str:
    head, _, rest = query.partition("{")
    path, _, tail = rest.partition("}")
    return head + condition(path) + tail


def _techniques(wanted: Sequence[str], known: Sequence[Named]) -> str:
    names = {name for term in wanted for name in names_of(term)}
    meant = [
        one.id
        for one in known
        if one.name.casefold() in names or (one.pid or one.name).casefold() in names
    ]
    listed = jpql.ids(meant)
    return f"d.id IN (SELECT x.dataset.id FROM DatasetTechnique x WHERE x.technique.id IN {listed})"


def _derived_from(pid: str, pids: Pids) -> str:
    number = pids.id_of(pid)
    if number is None:
        return NOTHING
    return (
        "d.id IN (SELECT o.dataset.id FROM Job j JOIN j.outputDataCollection oc "
        "JOIN oc.dataCollectionDatasets o JOIN j.inputDataCollection ic "
        f"JOIN ic.dataCollectionDatasets n WHERE n.dataset.id = {number})"
    )


def _parameter(condition: Condition, types: Sequence[ParameterType]) -> str:
    head = "d.id IN (SELECT x.dataset.id FROM DatasetParameter x WHERE "
    if isinstance(condition.value, str):
        if condition.op != "=" or condition.unit is not None or not types:
            return NOTHING
        named = jpql.ids(one.id for one in types)
        return f"{head}x.type.id IN {named} AND {jpql.same('x.stringValue', [condition.value])})"
    found = []
    for one in types:
        value = _in_unit(condition, one.units)
        if value is not None:
            exact = is_exact(value, condition.unit)
            found.append(f"(x.type.id = {one.id} AND {_compared(condition.op, value, exact)})")
    return f"{head}{jpql.any_of(found)})" if found else NOTHING


def _in_unit(condition: Condition, units: str | None) -> float | None:
    """What is asked for, in the unit that ICAT's values of this type have."""
    value = float(condition.value)
    if condition.unit is None:
        return value
    asked = base_value(value, condition.unit)
    zero, one = base_value(0.0, units), base_value(1.0, units)
    if asked is None or zero is None or one is None or asked[1] != one[1] or not units:
        return None
    found = (asked[0] - zero[0]) / (one[0] - zero[0])
    return found if math.isfinite(found) else None


def _compared(op: str, value: float, exact: bool) -> str:
    if op != "=":
        return f"x.numericValue {op} {jpql.number(border(op, value, exact=exact))}"
    low, high = map(jpql.number, interval("=", value))
    return f"x.numericValue BETWEEN {low} AND {high}"
