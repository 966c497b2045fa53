"""The fields of the spawn form and what they mean as options.

The options are flat: ``profile``, ``hardware``, ``cores``, … A form that shows several profiles
at once qualifies its fields, ``hardware:PROFILE`` and ``cores:PROFILE:HARDWARE``, and only those
of the chosen profile and hardware count. The chosen ones say what the flat ones say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from nearfield.config import ChoiceName

CHOICES: tuple[ChoiceName, ...] = get_args(ChoiceName)
NUMBERS = frozenset({"cores", "memory_mb", "minutes", "gpus"})
SINGLE = frozenset({"profile", "hardware", *CHOICES})
_NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
_HARDWARE_OF = re.compile(rf"hardware:(?P<profile>{_NAME})")
_CHOICE_OF = re.compile(
    rf"(?P<field>{'|'.join(CHOICES)}):(?P<profile>{_NAME}):(?P<hardware>{_NAME})"
)


def field_name(field: str, profile: str, hardware: str | None = None) -> str:
    """The name of an input that counts only with this profile (and this hardware)."""
    return ":".join([field, profile, *([hardware] if hardware is not None else [])])


def _last(values: list[str]) -> str | None:
    # A field that was left empty says nothing.
    given = [text for value in values if (text := value.strip())]
    return given[-1] if given else None


def _unqualified(fields: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The fields that count, by their flat names; what is no field at all is kept as it is."""
    profile = _last(fields.get("profile", []))
    hardware = _last(fields.get("hardware", []))
    for key, values in fields.items():
        found = _HARDWARE_OF.fullmatch(key)
        if found and found["profile"] == profile:
            hardware = _last(values) or hardware
    flat = {key: list(values) for key, values in fields.items()}
    for key in fields:
        if _HARDWARE_OF.fullmatch(key):
            del flat[key]
        elif found := _CHOICE_OF.fullmatch(key):
            values = flat.pop(key)
            if (found["profile"], found["hardware"]) == (profile, hardware):
                flat[found["field"]] = [*flat.get(found["field"], []), *values]
    if hardware is not None:
        flat["hardware"] = [hardware]
    return flat


def from_form(fields: Mapping[str, list[str]]) -> dict[str, Any]:
    """Form or query fields, each a list of strings, as the JSON that the REST API would send.

    ``datasets`` and ``dataset`` may repeat, and may hold several PIDs separated by white space.
    Fields that are not options are kept: the check that follows refuses them by name.
    """
    data: dict[str, Any] = {}
    pids: list[str] = []
    for key, values in _unqualified(fields).items():
        if key in {"dataset", "datasets"}:
            pids += [pid for value in values for pid in value.split()]
        elif key in SINGLE:
            if (given := _last(values)) is not None:
                number = key in NUMBERS and re.fullmatch(r"[0-9]{1,10}", given)
                data[key] = int(given) if number else given
        elif key != "_xsrf":
            data[key] = values
    if pids:
        data["datasets"] = list(dict.fromkeys(pids))
    return data
