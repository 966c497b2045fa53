"""Scientific metadata: SciCat nests, Nearfield has names like paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

MAX_DEPTH = 20
MAX_VALUES = 5000
# What the backend adds to every value with a unit.
_ADDED = frozenset({"valueSI", "unitSI"})
# Names of MongoDB's own; a key with one of them gets lost, or worse.
_SPECIAL = ".$%\0"


def flattened(said: Any) -> dict[str, Any]:
    """``{"mono": {"energy": {"v": 8, "u": "keV"}}}`` as ``mono/energy``: value and unit."""
    found: dict[str, Any] = {}
    if isinstance(said, dict):
        for name, value in _values(said, "", 0):
            if len(found) >= MAX_VALUES:
                break
            found[name] = value
    return found


def _values(said: dict[str, Any], above: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in said.items():
        # Not every route of the backend undoes its own encoding of keys.
        own = unquote(str(key))
        name = f"{above}/{own}" if above else own
        if not isinstance(value, dict):
            yield name, value
        elif (quantity := _quantity(value)) is not None:
            yield name, quantity
        elif value and depth < MAX_DEPTH:
            yield from _values(value, name, depth + 1)
        else:
            yield name, value


def _quantity(said: dict[str, Any]) -> dict[str, Any] | None:
    """A value with its unit, in either spelling; ``None`` for a group of values."""
    rest = {key: value for key, value in said.items() if key not in _ADDED}
    if "value" in rest and not isinstance(rest["value"], dict):
        return rest
    if "v" in rest and set(rest) <= {"v", "u"}:
        return {"value": rest["v"], "unit": rest.get("u")}
    return None


def with_safe_keys(said: Any) -> Any:
    """Keys as a document of MongoDB may have them; :func:`with_own_keys` undoes it."""
    if isinstance(said, dict):
        return {_safe(str(key)): with_safe_keys(value) for key, value in said.items()}
    if isinstance(said, list | tuple):
        return [with_safe_keys(value) for value in said]
    return said


def with_own_keys(said: Any) -> Any:
    """As it was before :func:`with_safe_keys`."""
    if isinstance(said, dict):
        return {unquote(key): with_own_keys(value) for key, value in said.items()}
    if isinstance(said, list):
        return [with_own_keys(value) for value in said]
    return said


def _safe(key: str) -> str:
    return "".join(f"%{ord(c):02X}" if c in _SPECIAL else c for c in key)


def stored_paths(name: str) -> tuple[str, ...]:
    """Where the backend keeps a value that it calls ``name``.

    It encodes each key of a document, and tells nested ones with dots: ``a.b`` may be either.
    """
    whole = _stored(name)
    nested = ".".join(_stored(part) for part in name.split("."))
    return tuple(dict.fromkeys(f"scientificMetadata.{path}" for path in (nested, whole)))


def _stored(key: str) -> str:
    return quote(key, safe="!~*'()").replace(".", "%2E")
