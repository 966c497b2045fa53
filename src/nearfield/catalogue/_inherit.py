"""What a derived dataset has from its inputs without anybody typing it again.

A fact holds for the result where every input states it, and states the same: two measurements of
one sample are about that sample, two samples are about none. What is of one measurement alone
(title, times, arrays, people, licence) is never passed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic_core import to_json

from nearfield.datasets import MAX_JSON, MAX_NAMES, Access, Dataset, DerivedDataset
from nearfield.querying.times import instant
from nearfield.techniques import technique_ids

T = TypeVar("T")


class Inherited(NamedTuple):
    """The facts that hold for all inputs, with what the request says in so many words."""

    instrument: str | None
    facility: str | None
    sample: str | None
    proposal: str | None
    techniques: tuple[str, ...]
    technique_ids: tuple[str, ...]
    keywords: tuple[str, ...]
    scientific: dict[str, Any]


def inherited(wanted: DerivedDataset, inputs: Sequence[Dataset]) -> Inherited:
    """The facts of a result of ``inputs``. What ``wanted`` says itself wins."""
    techniques = wanted.techniques or _common([one.techniques for one in inputs])
    return Inherited(
        instrument=wanted.instrument or _same([one.instrument for one in inputs]),
        facility=_same([one.facility for one in inputs]),
        sample=wanted.sample or _same([one.sample for one in inputs]),
        proposal=_same([one.proposal for one in inputs]),
        techniques=techniques,
        technique_ids=_identifiers(techniques, inputs),
        keywords=wanted.keywords or _common([one.keywords for one in inputs]),
        scientific=_scientific(wanted, inputs),
    )


def inherited_access(inputs: Sequence[Dataset], owner: str) -> Access:
    """Who may see a result: whoever may see every input, and its owner.

    A result is never more public than its least public input. Public inputs restrict nothing;
    of the others only the groups that they have in common remain. Where all are public in the
    end, the last embargo is the result's.
    """
    embargoes = [i.access.embargo_until for i in inputs if i.access.embargo_until is not None]
    closed = [i.access for i in inputs if not i.access.public or i.access.embargo_until is not None]
    public = all(dataset.access.public for dataset in inputs)
    if not closed:
        return Access(owner=owner, owner_group=inputs[0].access.owner_group, public=True)
    common = set.intersection(
        *({access.owner_group, *access.access_groups} - {None} for access in closed)
    )
    groups = sorted(group for group in common if group is not None)
    first = closed[0].owner_group
    head = first if first in groups else None
    return Access(
        owner=owner,
        owner_group=head,
        access_groups=tuple(group for group in groups if group != head),
        public=public,
        embargo_until=max(embargoes, key=instant) if public and embargoes else None,
    )


def _same(values: Sequence[T | None]) -> T | None:
    return values[0] if values and all(value == values[0] for value in values) else None


def _common(values: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What is in all, in the order of the first."""
    if not values:
        return ()
    others = [frozenset(names) for names in values[1:]]
    return tuple(name for name in values[0] if all(name in names for names in others))[:MAX_NAMES]


def _identifiers(techniques: tuple[str, ...], inputs: Sequence[Dataset]) -> tuple[str, ...]:
    """Identifiers of these names; an input that has only such names knows them better."""
    found: dict[str, None] = {}
    told: set[str] = set()
    for one in inputs:
        if one.techniques and one.technique_ids and set(one.techniques) <= set(techniques):
            found.update(dict.fromkeys(one.technique_ids))
            told.update(one.techniques)
    found.update(dict.fromkeys(technique_ids(name for name in techniques if name not in told)))
    return tuple(found)


def _scientific(wanted: DerivedDataset, inputs: Sequence[Dataset]) -> dict[str, Any]:
    """Quantities with a unit on which all inputs agree, as far as there is room for them."""
    said = dict(wanted.scientific)
    room = MAX_JSON - len(to_json(said))
    first, *others = [one.scientific for one in inputs] or [{}]
    for name, value in first.items():
        quantity = isinstance(value, dict) and set(value) == {"value", "unit"}
        if not quantity or name in said or any(other.get(name) != value for other in others):
            continue
        room -= len(to_json({name: value}))
        if room < 0:
            break
        said[name] = value
    return said
