"""``hardware:``: what is asked of a scheduler, and what of it a user may choose."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from nearfield.config._base import ConfigModel, Constraint, Name, SlurmWord
from nearfield.config.patterns import MAX_PATTERN, checked, whole_word


class Hardware(ConfigModel):
    """What is asked of the scheduler. ``None`` leaves a choice to the site's default."""

    partition: SlurmWord | None = None
    cores: int = Field(default=1, ge=1, le=4096)
    memory_mb: int = Field(default=2048, ge=1)
    minutes: int = Field(default=60, ge=1)
    gpus: int = Field(default=0, ge=0, le=64)
    gpu_type: SlurmWord | None = None
    account: SlurmWord | None = None
    qos: SlurmWord | None = None
    reservation: SlurmWord | None = None
    constraint: Constraint | None = None


class Range(ConfigModel):
    """A slider: whole numbers from ``least`` to ``most``, ``step`` apart."""

    least: int = Field(ge=0)
    most: int
    step: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.most < self.least:
            raise ValueError("most must not be less than least")
        return self

    def allows(self, value: object) -> bool:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and self.least <= value <= self.most and (value - self.least) % self.step == 0  # type: ignore[operator]

    @property
    def greatest(self) -> int:
        """The last value of the slider, which ``most`` need not be."""
        return self.least + (self.most - self.least) // self.step * self.step

    def __str__(self) -> str:
        steps = f" in steps of {self.step}" if self.step > 1 else ""
        return f"a whole number from {self.least} to {self.most}{steps}"


class Numbers(ConfigModel):
    """A list of numbers to choose from. Written as a plain list."""

    values: tuple[int, ...] = Field(min_length=1)

    def allows(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value in self.values

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.values))


class Words(ConfigModel):
    """A list of words to choose from. Written as a plain list."""

    values: tuple[SlurmWord, ...] = Field(min_length=1)

    def allows(self, value: object) -> bool:
        return isinstance(value, str) and value in self.values

    def __str__(self) -> str:
        return "one of " + ", ".join(self.values)


_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}")


class Pattern(ConfigModel):
    """A word that a user types; all of it must match, and it is never more than one word."""

    pattern: Annotated[str, Field(max_length=MAX_PATTERN), AfterValidator(checked)]

    def allows(self, value: object) -> bool:
        return (
            isinstance(value, str)
            and _WORD.fullmatch(value) is not None
            and whole_word(self.pattern, value)
        )

    def __str__(self) -> str:
        return f"a word that matches {self.pattern}"


def _as_values(given: Any) -> Any:
    return {"values": given} if isinstance(given, list | tuple) else given


def _kind(given: Any) -> str:
    if isinstance(given, dict):
        return "list" if "values" in given else "rule"
    return "list" if isinstance(given, Numbers | Words) else "rule"


NumberChoice = Annotated[
    Annotated[Numbers, Tag("list")] | Annotated[Range, Tag("rule")],
    Discriminator(_kind),
    BeforeValidator(_as_values),
]
WordChoice = Annotated[
    Annotated[Words, Tag("list")] | Annotated[Pattern, Tag("rule")],
    Discriminator(_kind),
    BeforeValidator(_as_values),
]
ChoiceName = Literal[
    "cores", "memory_mb", "minutes", "gpus", "gpu_type", "account", "qos", "reservation"
]


class Choices(ConfigModel):
    """What a user may choose, and within which limits. What is not here is fixed."""

    cores: NumberChoice | None = None
    memory_mb: NumberChoice | None = None
    minutes: NumberChoice | None = None
    gpus: NumberChoice | None = None
    gpu_type: WordChoice | None = None
    account: WordChoice | None = None
    qos: WordChoice | None = None
    reservation: WordChoice | None = None

    def named(self) -> dict[str, Numbers | Range | Words | Pattern]:
        """The choices that there are, by the key of the hardware that they set."""
        return {
            name: choice
            for name in type(self).model_fields
            if (choice := getattr(self, name)) is not None
        }


class HardwareConfig(Hardware):
    """What a session gets, and where. Its own values are the defaults of its choices."""

    title: str = ""
    cluster: Name
    choices: Choices = Choices()

    @model_validator(mode="after")
    def _defaults_are_allowed(self) -> Self:
        for name, choice in self.choices.named().items():
            self._can_be_asked_for(name, choice)
            default = getattr(self, name)
            given = name in self.model_fields_set
            if default is None:
                continue  # a word that may be left out
            if not choice.allows(default):
                kind = "is" if given else "is by default"
                raise ValueError(f"{name} {kind} {default!r}, but choices.{name} is {choice}")
        return self

    @staticmethod
    def _can_be_asked_for(name: str, choice: Numbers | Range | Words | Pattern) -> None:
        ends: tuple[int, ...] = ()
        if isinstance(choice, Range):
            ends = (choice.least, choice.greatest)
        elif isinstance(choice, Numbers):
            ends = choice.values
        for end in ends:
            try:
                Hardware.model_validate({name: end})
            except ValidationError as error:
                why = error.errors()[0]["msg"]
                raise ValueError(f"choices.{name} offers {end}, but {name}: {why}") from None
