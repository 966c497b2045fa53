"""The ends of what may be asked for: every choice at its least, its most, and all at their most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nearfield.config import ChoiceName, HardwareConfig, Numbers, Pattern, Range, Words
from nearfield.profiles import ChosenValue

WORDS_TRIED = 20
"""Of a longer list the first so many: each is a job put to Slurm."""


@dataclass(frozen=True)
class Asked:
    """A value that a session may ask for, and the key that says so."""

    key: str
    value: Any


def ends_of(choice: Range | Numbers | Words | Pattern) -> tuple[ChosenValue, ...]:
    """The least and the most; of words all; of a pattern none, for it names no word."""
    match choice:
        case Range():
            return tuple(dict.fromkeys((choice.least, choice.greatest)))
        case Numbers():
            return tuple(dict.fromkeys((min(choice.values), max(choice.values))))
        case Words():
            return choice.values
        case Pattern():
            return ()


def asked(name: str, entry: HardwareConfig, field: str) -> Iterator[Asked]:
    """The default of a field, if there is one, and the ends of its choice."""
    if (default := getattr(entry, field)) is not None:
        yield Asked(f"hardware.{name}.{field}", default)
    choice = entry.choices.named().get(field)
    for value in ends_of(choice) if choice else ():
        yield Asked(f"hardware.{name}.choices.{field}", value)


@dataclass(frozen=True)
class Variant:
    """One way to use a hardware: what is chosen, and by which key it differs from the defaults."""

    values: dict[ChoiceName, ChosenValue]
    key: str
    words: str

    @property
    def extreme(self) -> bool:
        """Several choices at once, which a site need not promise."""
        return len(self.values) > 1


def variants(name: str, entry: HardwareConfig) -> Iterator[Variant]:
    """The defaults, each choice at its ends, and every number at its most."""
    yield Variant({}, f"hardware.{name}", "at its defaults")
    most: dict[Any, ChosenValue] = {}
    for field, choice in entry.choices.named().items():
        values = ends_of(choice)
        for value in values[:WORDS_TRIED]:
            yield Variant(
                {field: value},  # type: ignore[dict-item]  # a key of Choices is a ChoiceName
                f"hardware.{name}.choices.{field}",
                f"with {field} {value}",
            )
        if values and isinstance(values[-1], int):
            most[field] = values[-1]
    if len(most) > 1:
        shown = ", ".join(f"{field} {value}" for field, value in most.items())
        yield Variant(most, f"hardware.{name}.choices", f"with everything at its most ({shown})")
