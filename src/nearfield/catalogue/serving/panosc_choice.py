"""A PaNOSC filter over datasets, in two parts: what the catalogue's index does, and the rest.

The index is asked for all that must match anyway; where it cannot say it all, each candidate is
tested. Nothing is answered that does not match the whole filter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from nearfield.catalogue.serving.allowance import show, within_time
from nearfield.catalogue.serving.loopback import (
    Filter,
    FilterError,
    Inclusion,
    Test,
    View,
    compiled,
    term_test,
    terms_of,
)
from nearfield.catalogue.serving.panosc_records import (
    DATASET,
    MODELS,
    PARAMETER,
    dataset_view,
    relations_of,
    searchable,
)
from nearfield.datasets import Dataset
from nearfield.querying import Condition, Query
from nearfield.querying.matching import holds
from nearfield.querying.times import instant
from nearfield.querying.units import converted
from nearfield.querying.values import exactly

MAX_PIDS = 200
_ALIASES = {"documents": "document", "instruments": "instrument"}
_COMPARED = {"eq": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@dataclass(frozen=True, slots=True)
class Shown:
    """A relation in the answer."""

    name: str
    relation: str
    pick: Callable[[Dataset], list[dict[str, Any]]]
    scope: Filter


@dataclass(slots=True)
class Choice:
    """Which datasets, and what of them is shown."""

    query: Query = field(default_factory=Query)
    pids: tuple[str, ...] | None = None
    """Only these; the index is not asked."""
    tests: list[Callable[[Dataset], bool]] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    fields: frozenset[str] | None = None

    def holds(self, dataset: Dataset) -> bool:
        return all(test(dataset) for test in within_time(self.tests))

    def view(self, dataset: Dataset) -> dict[str, Any]:
        """The dataset as it is answered."""
        found = dataset_view(dataset)
        for shown in self.shown:
            values = shown.pick(dataset)
            if shown.relation in ("document", "instrument") and shown.name != "documents":
                found[shown.name] = values[0] if values else {}
            else:
                found[shown.name] = values[shown.scope.skip : shown.scope.skip + shown.scope.limit]
                show(len(found[shown.name]))
        if self.fields is not None:
            found = {name: value for name, value in found.items() if name in self.fields}
        return found


def choose(
    wanted: Filter, filters: frozenset[str], instruments: Sequence[View] | None = None
) -> Choice:
    """``filters``: what the catalogue's index can do; ``instruments``: all that there are.

    Raises:
        FilterError: names what cannot be applied.
    """
    choice, said = Choice(fields=wanted.fields), _Said(filters)
    if wanted.query:
        said.words.append(wanted.query)
    for name, value in terms_of(wanted.where):
        _where(name, value, said, choice)
    for inclusion in wanted.include:
        _include(inclusion, said, choice, instruments)
    choice.query = said.query(relevance=bool(wanted.query))
    return choice


class _Said:
    """What the index is asked, as it is gathered."""

    def __init__(self, filters: frozenset[str]) -> None:
        self._filters, self.words = filters, list[str]()
        self.fields: dict[str, Any] = {}
        self.conditions: list[Condition] = []

    def narrow(self, name: str, values: tuple[str, ...]) -> bool:
        """Ask for one of these values; False where the index cannot, or is asked already."""
        if name not in self._filters or name in self.fields:
            return False
        try:
            Query.model_validate({name: values})
        except ValidationError:
            return False
        self.fields[name] = values
        return True

    def within(self, name: str, at: datetime) -> None:
        known, later = self.fields.get(name), name == "since"
        if known is None or (instant(at) > instant(known)) == later:
            self.fields[name] = at

    def condition(self, **said: Any) -> None:
        if "conditions" in self._filters and len(self.conditions) < 20:
            try:
                self.conditions.append(Condition.model_validate(said))
            except ValidationError:
                return

    def query(self, *, relevance: bool) -> Query:
        try:
            return Query.model_validate(
                {
                    **self.fields,
                    "text": " ".join(self.words),
                    "conditions": tuple(self.conditions),
                    "order": "relevance" if relevance else "newest",
                }
            )
        except ValidationError as error:
            raise FilterError("too much to search for at once") from error


def _where(name: str, value: Any, said: _Said, choice: Choice) -> None:
    # Checked whole, even where the index does the work.
    test = term_test(name, value, DATASET)
    if name == "text":
        said.words.append(value)
        return
    if name == "pid" and choice.pids is None and (pids := _values(value)) is not None:
        if len(pids) > MAX_PIDS:
            raise FilterError(f"pid: more than {MAX_PIDS} at once")
        choice.pids = pids
    if name == "creationDate" and isinstance(value, dict):
        low, high = value.get("gte", value.get("gt")), value.get("lte", value.get("lt"))
        if isinstance(between := value.get("between"), list):
            low, high = between
        for bound, at in (("since", low), ("until", high)):
            if isinstance(at, str):
                said.within(bound, datetime.fromisoformat(at))
        if value.keys() <= {"gte", "lte"} or value.keys() == {"between"}:
            return
    if name == "isPublic" and value in (True, {"eq": True}):
        return
    choice.tests.append(lambda dataset: test(searchable(dataset)))


def _values(said: Any) -> tuple[str, ...] | None:
    """The values that are asked for, where nothing else is."""
    if isinstance(said, dict) and len(said) == 1:
        ((operator, value),) = said.items()
        if operator == "ilike" and isinstance(value, str) and "%" not in value:
            return (value,)
        said = value if operator in ("eq", "inq") else None
    if isinstance(said, str):
        return (said,)
    if isinstance(said, list) and all(isinstance(one, str) for one in said):
        return tuple(said)
    return None


def _include(
    inclusion: Inclusion, said: _Said, choice: Choice, instruments: Sequence[View] | None
) -> None:
    relation = _ALIASES.get(inclusion.relation, inclusion.relation)
    model = MODELS.get(relation)
    if model is None:
        raise FilterError(
            f"Dataset has no relation {inclusion.relation!r}; it has: {', '.join(sorted(MODELS))}"
        )
    if inclusion.scope.include:
        raise FilterError(f"include: nothing can be included below {inclusion.relation}")
    where = inclusion.scope.where

    def put(pick: Callable[[Dataset], list[dict[str, Any]]]) -> None:
        choice.shown.append(Shown(inclusion.relation, relation, pick, inclusion.scope))

    if not where:
        put(lambda dataset: relations_of(dataset, relation))
        return
    if relation == "parameters":
        picked = _parameters(where, said)
        choice.tests.append(lambda dataset: bool(picked(dataset)))
        put(picked)
        return
    test = compiled(where, model)
    if relation == "techniques" and (techniques := _techniques(where)) is not None:
        # A technique stands for the narrower ones too, as the API's own text has it.
        if not said.narrow("technique", techniques):
            asked = Query(technique=techniques[:50])
            choice.tests.append(lambda dataset: holds(asked, dataset))
        put(lambda dataset: relations_of(dataset, relation))
        return
    exact = False
    by_name = {"instrument": "instrument", "samples": "sample", "document": "proposal"}
    terms = list(terms_of(where))
    for name, value in terms:
        field_name = by_name.get(relation)
        if relation == "instrument" and name == "facility":
            field_name = "facility"
        elif name != ("title" if relation == "document" else "name"):
            continue
        values = _values(value)
        if field_name is not None and values is not None:
            whole = tuple(map(exactly, values))
            exact = said.narrow(field_name, whole) and len(terms) == 1 and relation != "document"

    if relation == "instrument" and instruments is not None and _asks_only_for(where, "name"):
        # A part of a name is nothing that the index knows: the whole names are asked for.
        meant = {exactly(view["name"]) for view in instruments if test(view)}
        said.narrow("instrument", tuple(sorted(meant)) or (exactly(""),))

    def matching(dataset: Dataset) -> list[dict[str, Any]]:
        return [view for view in within_time(relations_of(dataset, relation)) if test(view)]

    if not exact:
        choice.tests.append(lambda dataset: bool(matching(dataset)))
    put(matching)


def _asks_only_for(where: Mapping[str, Any], name: str) -> bool:
    inner = (one for key in ("and", "or", "nor") for one in where.get(key, ()))
    return where.keys() <= {name, "and", "or", "nor"} and all(
        _asks_only_for(one, name) for one in inner
    )


def _techniques(where: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Names and identifiers of which one must hold; ``None`` where something else is asked."""
    if len(where) != 1:
        return None
    ((name, said),) = where.items()
    if name in ("pid", "name"):
        return _values(said)
    if name in ("or", "and") and isinstance(said, list) and (name == "or" or len(said) == 1):
        found = [_techniques(one) if isinstance(one, dict) else None for one in said]
        if all(values is not None for values in found):
            return tuple(value for values in found for value in values or ())
    return None


def _parameters(where: Mapping[str, Any], said: _Said) -> Callable[[Dataset], list[dict[str, Any]]]:
    """Those of a dataset's parameters that match, in the unit that was asked in."""
    compiled(where, PARAMETER)
    terms = list(terms_of(where))
    units = [value for name, value in terms if name == "unit" and isinstance(value, str)]
    unit = units[0] if len(units) == 1 else None
    rest = {"and": [{name: value} for name, value in terms if unit is None or name != "unit"]}
    test: Test = compiled(rest, PARAMETER) if rest["and"] else (lambda view: True)
    _narrow_by_value(terms, unit, said)

    def matching(dataset: Dataset) -> list[dict[str, Any]]:
        found = []
        for view in within_time(relations_of(dataset, "parameters")):
            shown: View | None = view if unit is None else _in_unit(view, unit)
            # Like a condition of a search: by the whole name, or the last part of its path.
            names = [view["name"], PurePosixPath(view["name"]).name]
            if shown is not None and test({**shown, "name": names}):
                found.append(dict(shown))
        return found

    return matching


def _in_unit(view: View, unit: str) -> View | None:
    value = view["value"]
    if isinstance(value, str):
        return None
    if view.get("unit") == unit:
        return view
    there = converted(value, view.get("unit"), unit)
    # As many digits as a conversion keeps: 8300 eV are 8.3 keV, not a little more.
    return None if there is None else {**view, "value": float(f"{there:.12g}"), "unit": unit}


def _narrow_by_value(terms: list[tuple[str, Any]], unit: str | None, said: _Said) -> None:
    names = [found for name, value in terms if name == "name" and (found := _values(value))]
    if len(names) != 1 or len(names[0]) != 1:
        return
    for name, value in terms:
        if name != "value":
            continue
        compared = value if isinstance(value, dict) else {"eq": value}
        for operator, operand in compared.items():
            pairs = [(_COMPARED.get(operator), operand)]
            if operator == "between":
                pairs = [(">=", operand[0]), ("<=", operand[1])]
            for op, number in pairs:
                if op and isinstance(number, int | float) and not isinstance(number, bool):
                    said.condition(name=names[0][0], op=op, value=number, unit=unit)
