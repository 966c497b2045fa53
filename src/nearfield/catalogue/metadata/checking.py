"""What a measurement of some technique should say, and what one does not: a line for each field.

The schemas beside this module are JSON Schema (2020-12) with two keywords of our own:
``x-techniques``, the PaNET labels whose measurements (and those of narrower techniques) it is for,
and ``dimension``, which a unit must be of (``length``, ``energy``). They describe the document that
:func:`document_of` makes of a record or a file.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from nearfield.catalogue.metadata.model import FileMetadata
from nearfield.datasets import Dataset
from nearfield.querying.units import base_value
from nearfield.techniques import names_of

_DIMENSIONS = {"length": "m", "energy": "eV"}
# One thing has many names in files; the part of a path that says it decides.
_ALIASES = {
    "detector_distance": "distance",
    "sampledistance": "distance",
    "incident_energy": "energy",
    "photon_energy": "energy",
    "incident_wavelength": "wavelength",
    "lambda": "wavelength",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One field that is missing or makes no sense."""

    field: str
    words: str
    schema: str
    """The title of the schema that asks for it."""

    def __str__(self) -> str:
        return f"{self.field}: {self.words} ({self.schema})"


def document_of(found: Dataset | FileMetadata) -> dict[str, Any]:
    """A record or a file's reading as the schemas describe it; what it does not say is absent."""
    texts = ("title", "instrument", "facility", "sample", "proposal")
    document: dict[str, Any] = {
        name: value for name in texts if (value := getattr(found, name)) is not None
    }
    for name in ("start_time", "end_time"):
        if (time := getattr(found, name)) is not None:
            document[name] = time.isoformat()
    signal = next((array for array in found.arrays if array.signal), None)
    if signal is not None:
        document["signal"] = {"shape": list(signal.shape)}
        if signal.units:
            document["signal"]["units"] = signal.units
        if named := [axis.name for axis in signal.axes if axis is not None]:
            document["signal"]["axes"] = named
    quantities: dict[str, Any] = {}
    for path, value in found.scientific.items():
        last = path.rpartition("/")[2].casefold()
        said = value if isinstance(value, dict) else {"value": value}
        name = _ALIASES.get(last, last)
        # Files note one thing in several places; the one with its unit is the one to take.
        better = name not in quantities or ("unit" in said and "unit" not in quantities[name])
        if isinstance(said.get("value"), (int, float)) and better:
            quantities[name] = said
    document["quantities"] = quantities
    return document


def check(found: Dataset | FileMetadata) -> list[Finding]:
    """What a record or file lacks for its techniques, each field once."""
    document = document_of(found)
    have = {name.casefold() for name in (*found.techniques, *found.technique_ids)}
    findings: dict[str, Finding] = {}
    for schema in schemas():
        labels = schema["x-techniques"]
        if labels and not any(have & names_of(label) for label in labels):
            continue
        for error in _validator()(schema).iter_errors(document):
            for field, words in _said(error):
                findings.setdefault(field, Finding(field, words, schema["title"]))
    return list(findings.values())


@functools.cache
def schemas() -> tuple[dict[str, Any], ...]:
    """All schemas, the one for every measurement first."""
    folder = resources.files(__package__) / "schemas"
    read = [json.loads(one.read_text(encoding="utf-8")) for one in folder.iterdir()]
    return tuple(sorted(read, key=lambda schema: (bool(schema["x-techniques"]), schema["title"])))


@functools.cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def dimension(_: Any, wanted: str, unit: Any, __: Any) -> Iterator[ValidationError]:
        known = base_value(1.0, _DIMENSIONS[wanted])
        have = base_value(1.0, unit) if isinstance(unit, str) else None
        if have is None:
            yield ValidationError(f"{unit!r} is no unit that is known")
        elif known is not None and have[1] != known[1]:
            yield ValidationError(f"{unit!r} is no unit of {wanted}")

    made: Any = extend(Draft202012Validator, {"dimension": dimension})  # type: ignore[no-untyped-call]
    return made


def _said(error: Any) -> Iterator[tuple[str, str]]:
    """Fields and words of one error of jsonschema's."""
    at = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                about = error.schema.get("properties", {}).get(name, {}).get("description")
                yield (
                    f"{at}.{name}".lstrip("."),
                    f"is missing: {about}" if about else "is missing",
                )
        return
    about = error.schema.get("x-message") or error.schema.get("description")
    if error.validator == "anyOf":
        yield at, f"is missing: {about}"
    elif error.validator == "minItems":
        yield at, f"fewer than {error.validator_value}: {about}"
    elif error.validator == "exclusiveMinimum":
        yield at, f"{error.instance!r} is not more than {error.validator_value}"
    elif error.validator == "pattern":
        yield at, f"{error.instance!r} {about}"
    else:
        yield at, error.message[:200]
