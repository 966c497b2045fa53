"""Numbers with units, compared whatever the unit; pint does the conversion."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from typing import Any, NamedTuple

# What files write and pint does not read, in NFKC and without capitals.
_SPELLINGS = {
    "å": "angstrom",
    "1/å": "1/angstrom",
    "å^-1": "1/angstrom",
    "angstrom": "angstrom",
    "1/angstrom": "1/angstrom",
    "angstrom^-1": "1/angstrom",
    "angstroms": "angstrom",
    "angstroem": "angstrom",
    "ang": "angstrom",
    "1/ang": "1/angstrom",
    # The inverse of an ampere is in no file; the inverse of an ångström is in many.
    "1/a": "1/angstrom",
    "a^-1": "1/angstrom",
    "ang^-1": "1/angstrom",
    "kelvin": "kelvin",
    "kelvins": "kelvin",
    "degrees c": "degC",
    "deg c": "degC",
    "degree celsius": "degC",
    "degrees celsius": "degC",
    "ev": "eV",
    "hz": "Hz",
    "°": "degree",
    "°c": "degC",
    "celsius": "degC",
    "sec": "second",
}
MAX_LENGTH = 40
_RAISED = re.compile("[⁺⁻]?[⁰¹²³⁴-⁹]+")
_PLAIN = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
# As in "nm-1", "W m-2".
_POWER = re.compile(r"(?<=[^\W\d_])-([1-9])(?![\w.])")


def base_value(value: float, unit: str | None) -> tuple[float, str] | None:
    """The number in base units and the name of its dimension; ``None`` where the unit is unknown.

    Without a unit the dimension is ``""``: such a value is compared as it stands, with conditions
    that have no unit either.
    """
    if unit is None or not unit.strip():
        return float(value), ""
    scale = _scale(unit.strip())
    if scale is None:
        return None
    if scale.factor is None:
        found = _converted(float(value), scale.unit)
        return None if found is None else (found, scale.dimension)
    return float(value) * scale.factor + scale.offset, scale.dimension


class _Scale(NamedTuple):
    unit: Any
    dimension: str
    factor: float | None
    """``None`` where base units do not grow with it in proportion (decibel)."""
    offset: float


@functools.lru_cache(maxsize=2000)
def _scale(text: str) -> _Scale | None:
    """How to convert, asked of pint once for each unit: it takes long for a million values."""
    unit = _unit(text)
    if unit is None:
        return None
    try:
        dimension = str(unit.dimensionality)
    except Exception:  # pint raises many kinds for odd units
        return None
    offset, one, many = (_converted(value, unit) for value in (0.0, 1.0, 1000.0))
    if offset is not None and one is not None and many is not None:
        # Without an offset the factor is exact.
        factor = one - offset
        if math.isclose(many, 1000.0 * factor + offset, rel_tol=1e-12):
            return _Scale(unit, dimension, factor, offset)
    return _Scale(unit, dimension, None, 0.0)


def _converted(value: float, unit: Any) -> float | None:
    try:
        return float(_registry().Quantity(value, unit).to_base_units().magnitude)
    except Exception:  # logarithms and offsets of odd units; pint has as many kinds here
        return None


def converted(value: float, unit: str | None, to: str) -> float | None:
    """``value`` in another unit; ``None`` where one is unknown, or they differ in kind."""
    have, want = _unit((unit or "").strip()), _unit(to.strip())
    if have is None or want is None:
        return None
    try:
        return float(_registry().Quantity(float(value), have).to(want).magnitude)
    except Exception:  # pint's words for "not of this kind"
        return None


@functools.lru_cache(maxsize=2000)
def _unit(text: str) -> Any:
    if len(text) > MAX_LENGTH:
        return None
    # One character for the two ångströms and the two micros that there are; powers before it, or
    # Å⁻¹ would be a difference.
    text = _RAISED.sub(lambda found: "^" + found.group().translate(_PLAIN), text)
    text = unicodedata.normalize("NFKC", text)
    text = _POWER.sub(r"^-\1", text)
    try:
        return _registry().Unit(_SPELLINGS.get(text.casefold(), text))
    except Exception:  # pint raises a dozen kinds for what is no unit
        return None


@functools.cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()
