"""What a user may ask for at spawn, however it arrives.

The form, the query of a deep link and the REST body all end in :class:`SpawnOptions`: one
model, one check. It holds names only; none of them ever becomes part of a script.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from nearfield.config import ChoiceName, SlurmWord, in_words
from nearfield.datasets import Pid
from nearfield.errors import UsageError
from nearfield.profiles import ChosenValue
from nearfield_spawners.form_fields import CHOICES, from_form

__all__ = ["CHOICES", "SpawnOptions", "from_form", "parse_options"]

ProfileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


Count = Annotated[int, Field(strict=True, ge=0, le=2**31)]


class SpawnOptions(BaseModel):
    """``{"profile": NAME, "hardware": NAME, "datasets": [PID, …], "cores": 4, …}``.

    The profile may be left to the only one, the hardware to the profile's nearest to the datasets
    (its first, without any), each number and word to the hardware's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: ProfileName | None = None
    hardware: ProfileName | None = None
    datasets: tuple[Pid, ...] = Field(default=(), max_length=200)
    cores: Count | None = None
    memory_mb: Count | None = None
    minutes: Count | None = None
    gpus: Count | None = None
    gpu_type: SlurmWord | None = None
    account: SlurmWord | None = None
    qos: SlurmWord | None = None
    reservation: SlurmWord | None = None

    @property
    def values(self) -> dict[ChoiceName, ChosenValue]:
        """What was chosen of the hardware."""
        return {name: found for name in CHOICES if (found := getattr(self, name)) is not None}

    @field_validator("datasets")
    @classmethod
    def _each_once(cls, pids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(pids))


PROBLEMS_SHOWN = 5


class OptionsRefusedError(UsageError):
    """Options that do not fit. ``fields``: the name of each (the first few), and why."""

    def __init__(self, message: str, fields: dict[str, str], *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.fields = fields


def parse_options(data: object) -> SpawnOptions:
    """Check what arrived. Raises OptionsRefusedError naming each field that does not fit."""
    try:
        return SpawnOptions.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        fields = {
            _field(e["loc"]): "unknown option" if e["type"] == "extra_forbidden" else in_words(e)
            for e in found[:PROBLEMS_SHOWN]
        }
        problems = "; ".join(f"{name}: {why}" for name, why in fields.items())
        more = f"; and {len(found) - PROBLEMS_SHOWN} more" if len(found) > PROBLEMS_SHOWN else ""
        raise OptionsRefusedError(
            f"spawn options refused: {problems}{more}",
            fields,
            hint=f"the options are: {', '.join(SpawnOptions.model_fields)}",
        ) from None


def _field(at: tuple[int | str, ...]) -> str:
    """The name of a field, which the user has chosen: short, and without control characters."""
    name = ".".join(map(str, at)) or "options"
    return name if name.isascii() and name.isprintable() and len(name) <= 40 else ascii(name[:40])
