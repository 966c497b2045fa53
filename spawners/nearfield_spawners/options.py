"""What a user may ask for at spawn, however it arrives.

The form, the query of a deep link and the REST body all end in :class:`SpawnOptions`: one
model, one check. It holds names only; none of them ever becomes part of a script.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from nearfield.datasets import Pid
from nearfield.errors import UsageError

ProfileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class SpawnOptions(BaseModel):
    """``{"profile": NAME, "datasets": [PID, …]}``; the profile may be left to the only one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: ProfileName | None = None
    datasets: tuple[Pid, ...] = Field(default=(), max_length=200)

    @field_validator("datasets")
    @classmethod
    def _each_once(cls, pids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(pids))


def parse_options(data: Mapping[str, Any]) -> SpawnOptions:
    """Check what arrived. Raises UsageError naming each field that does not fit."""
    try:
        return SpawnOptions.model_validate(dict(data))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or 'options'}: "
            + ("unknown option" if e["type"] == "extra_forbidden" else e["msg"])
            for e in error.errors(include_url=False, include_input=False)
        )
        raise UsageError(
            f"spawn options refused: {problems}", hint="the options are: profile, datasets"
        ) from None


def from_form(fields: Mapping[str, list[str]]) -> dict[str, Any]:
    """Form or query fields, each a list of strings, as the JSON that the REST API would send.

    ``datasets`` and ``dataset`` may repeat, and may hold several PIDs separated by white space.
    Fields that are not options are kept: the check that follows refuses them by name.
    """
    data: dict[str, Any] = {}
    pids: list[str] = []
    for key, values in fields.items():
        if key in {"dataset", "datasets"}:
            pids += [pid for value in values for pid in value.split()]
        elif key == "profile":
            if chosen := [value for value in values if value]:
                data["profile"] = chosen[-1]
        elif key != "_xsrf":
            data[key] = values
    if pids:
        data["datasets"] = list(dict.fromkeys(pids))
    return data
