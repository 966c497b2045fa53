"""What people ask a catalogue: names of samples, materials, proposals, times, energies."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from benchkit.records import ADJECTIVES, DOINGS, MATERIALS, PROPOSALS, THINGS, names
from nearfield.querying import Condition, Query


class Question(NamedTuple):
    """One search and who asks; ``kind`` for the table."""

    kind: str
    who: str
    query: Query


def questions(some: random.Random, each: int) -> Iterator[Question]:
    """So many of each kind, in turns, each another one."""
    known = names()
    kinds: dict[str, Callable[[], dict[str, Any]]] = {
        "a sample's name": lambda: {"text": some.choice(known)},
        "its beginning": lambda: {"text": some.choice(known)[:5]},
        "one or two letters": lambda: {"text": some.choice(known)[: some.randint(1, 2)]},
        "a material": lambda: {"text": some.choice(MATERIALS)},
        "three words": lambda: {
            "text": f"{some.choice(ADJECTIVES)} {some.choice(MATERIALS)} {some.choice(THINGS)}"
        },
        "a phrase": lambda: {
            "phrases": (f"{some.choice(MATERIALS)} {some.choice(THINGS)}",),
            "text": some.choice(DOINGS),
        },
        "by relevance": lambda: {
            "text": f"{some.choice(ADJECTIVES)} {some.choice(MATERIALS)}",
            "order": "relevance",
        },
        "a proposal": lambda: {"proposal": f"P-{some.randrange(PROPOSALS):05d}"},
        "a word of a proposal": lambda: {"proposal": f"{some.randrange(PROPOSALS):05d}"},
        "a word of an instrument": lambda: {"instrument": f"{some.randrange(60):02d}"},
        "everything": dict,
        "an instrument and a technique": lambda: {
            "instrument": f"BL-{some.randrange(60):02d}",
            "technique": some.choice(["saxs", "x-ray diffraction", "tomography", "NXsas"]),
        },
        "a month": lambda: _month(some),
        "words of a month": lambda: {"text": some.choice(MATERIALS), **_month(some)},
        "an energy and a material": lambda: {
            "conditions": (
                Condition(name="energy", op="=", value=round(some.uniform(5, 30), 2), unit="keV"),
            ),
            "text": some.choice(MATERIALS),
        },
        "an energy": lambda: {
            "conditions": (Condition(name="energy", value=some.randrange(5000, 30000), unit="eV"),)
        },
        "cold and hard": lambda: {
            "conditions": (
                Condition(name="energy", op=">", value=some.randint(8, 25), unit="keV"),
                Condition(name="temperature", op="<", value=some.randint(10, 200), unit="K"),
            )
        },
    }
    people = ("anybody", "member", "staff")
    for number in range(each):
        for kind, make in kinds.items():
            yield Question(kind, people[number % 3], Query.model_validate(make()))


def _month(some: random.Random) -> dict[str, Any]:
    since = datetime(2012, 1, 1, tzinfo=UTC) + timedelta(days=some.randrange(14 * 365 - 31))
    return {"since": since, "until": since + timedelta(days=30)}
