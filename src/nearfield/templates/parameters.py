"""Parameters of a run: read from the command line, completed with defaults, checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from nearfield.errors import ParameterError, UnknownNameError
from nearfield.templates.card import Card


def parse_assignments(card: Card, assignments: Iterable[str]) -> dict[str, Any]:
    """Values from ``name=value`` texts, each read as its schema says.

    A parameter of type string takes the text as it is; every other is JSON.

    Raises:
        UnknownNameError: the template has no such parameter; it names those that it has.
        ParameterError: no ``=``, a name twice, or a value that does not fit.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ParameterError(f"parameter {assignment!r}: no value", hint="write -p NAME=VALUE")
        if name not in card.properties:
            raise UnknownNameError("parameter", name, card.properties)
        if name in values:
            raise ParameterError(f"parameter {name!r} is given twice")
        values[name] = _read(name, text, card.properties[name])
    return values


def read_mapping(text: str, source: str) -> dict[str, Any]:
    """Values from a YAML or JSON mapping; what they must be is checked by :func:`complete`.

    Raises:
        ParameterError: it is not a mapping of names to values.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise ParameterError(f"{source}{line}: not valid YAML or JSON: {problem}") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ParameterError(f"{source}: must be a mapping of parameter names to values")
    return values


def complete(card: Card, values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with the card's defaults, all checked.

    Raises:
        UnknownNameError, ParameterError: as :func:`parse_assignments`.
    """
    for name in values:
        if name not in card.properties:
            raise UnknownNameError("parameter", name, card.properties)
    full = {
        name: values[name] if name in values else schema["default"]
        for name, schema in card.properties.items()
        if name in values or "default" in schema
    }
    missing = [name for name in card.parameters.get("required", ()) if name not in full]
    if missing:
        raise ParameterError(
            f"{card.name} needs the parameter{'s' * (len(missing) > 1)} {', '.join(missing)}",
            hint=" ".join(f"-p {name}=…" for name in missing),
        )
    for name, value in full.items():
        _encodable(name, value)
    for error in Draft202012Validator(card.parameters).iter_errors(full):
        at = ".".join(str(part) for part in error.absolute_path)
        raise ParameterError(
            f"parameter {at or 'set'}: {error.message}",
            hint=_described(card, str(error.absolute_path[0])) if error.absolute_path else None,
        )
    return full


def _read(name: str, text: str, schema: dict[str, Any]) -> Any:
    fits = Draft202012Validator(schema).is_valid
    if schema.get("type") == "string":
        return text
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        if fits(text):
            return text
        raise ParameterError(
            f"parameter {name}: {text!r} is not {_kind(schema)}", hint=_example(schema)
        ) from None
    if isinstance(value, float) and value.is_integer() and schema.get("type") == "integer":
        value = int(value)
    if fits(value):
        return value
    # '1' for a parameter that may be a string or null.
    if fits(text):
        return text
    error = next(Draft202012Validator(schema).iter_errors(value))
    raise ParameterError(
        f"parameter {name}: {error.message}", hint=schema.get("description") or _example(schema)
    )


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _kind(schema: dict[str, Any]) -> str:
    kinds = schema.get("type")
    if kinds is None:
        return "JSON"
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    return " or ".join("null" if name == "null" else f"of type {name}" for name in names)


def _example(schema: dict[str, Any]) -> str:
    kinds = schema.get("type")
    names = [kinds] if isinstance(kinds, str) else list(kinds or ())
    shown = {
        "array": "[1, 2, 3]", "boolean": "true", "integer": "5", "number": "0.5",
        "object": '{"a": 1}', "null": "null", "string": '"text"',
    }  # fmt: skip
    return "write it as JSON, for example " + " or ".join(shown.get(n, n) for n in names or ["1"])


def _described(card: Card, name: str) -> str | None:
    return card.properties.get(name, {}).get("description")


def _encodable(name: str, value: Any) -> None:
    """A parameter goes into JSON files: bytes of the command line that are no text do not."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise ParameterError(f"parameter {name}: not a JSON value: {error}") from error
