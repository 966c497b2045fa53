"""Numbers with units as people write them: ``8keV``, ``8 keV``, ``8..12keV``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from difflib import get_close_matches

from nearfield.querying.units import MAX_LENGTH, base_value

NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

# A word after a number and a blank is its unit only if it is one of these: the others could be
# words to look for. None of them needs pint to be known.
_COMMON = (
    "eV keV MeV GeV meV J mJ",
    "m km cm mm um µm μm nm pm Å angstrom 1/Å 1/angstrom Å^-1 Å⁻¹ Å-1 1/nm nm^-1 nm⁻¹ nm-1",
    "K mK °C degC",
    "s ms us µs μs ns ps fs min h",
    "Hz kHz MHz GHz",
    "bar mbar Pa kPa MPa GPa",
    "T mT A mA uA µA V mV kV W mW kW",
    "deg degree degrees ° rad mrad",
)
COMMON = frozenset(unit for units in _COMMON for unit in units.split())


class NoAmountError(ValueError):
    """What is wrong, and ``offset``: at which character of the text that was given."""

    def __init__(self, words: str, offset: int, hint: str | None = None) -> None:
        super().__init__(words)
        self.offset, self.hint = offset, hint


@dataclass(frozen=True, slots=True)
class Amounts:
    """One number, or a range; an end of a range may be open. ``unit`` holds for both ends."""

    low: float | None
    high: float | None
    unit: str | None
    is_range: bool = False


def amounts_of(text: str) -> Amounts | None:
    """The number or range that ``text`` is; ``None`` where it does not begin as one.

    Raises:
        NoAmountError: it begins as a number and goes on as none.
    """
    first, dots, second = text.partition("..")
    if not dots:
        if NUMBER.match(text) is None:
            return None
        value, unit = _one(text, 0)
        return Amounts(value, value, unit)
    if not (NUMBER.match(first) or (not first.strip() and NUMBER.match(second.strip()))):
        return None
    low, low_unit = _one(first, 0) if first.strip() else (None, None)
    high, high_unit = _one(second, len(first) + 2) if second.strip() else (None, None)
    if low_unit and high_unit and low_unit != high_unit:
        raise NoAmountError("the two ends of a range have one unit", len(first) + 2)
    if low is not None and high is not None and low > high:
        raise NoAmountError("a range goes from the smaller number to the larger", 0)
    return Amounts(low, high, high_unit or low_unit, is_range=True)


def _one(text: str, offset: int) -> tuple[float, str | None]:
    lead = len(text) - len(text.lstrip())
    found = NUMBER.match(text, lead)
    if found is None:
        raise NoAmountError("here belongs a number", offset + lead)
    value = float(found.group())
    if not math.isfinite(value):
        raise NoAmountError("a number that is too large", offset + lead)
    unit = text[found.end() :].strip()
    if unit:
        check_unit(unit, offset + text.index(unit, found.end()))
    return value, unit or None


def check_unit(unit: str, offset: int) -> None:
    """Is this a unit that numbers can be compared in?

    Raises:
        NoAmountError: it is none.
    """
    if unit in COMMON:
        return
    if len(unit) > MAX_LENGTH or base_value(1.0, unit) is None:
        shown = unit if len(unit) <= MAX_LENGTH else unit[:MAX_LENGTH] + "…"
        raise NoAmountError(f"unknown unit {shown!r}", offset, _advice_on(unit))


def _advice_on(unit: str) -> str:
    if unit[:1] == "-" and NUMBER.match(unit):
        return "a range is written 8..12keV"
    alike = sorted(known for known in COMMON if known.casefold() == unit.casefold())
    near = alike or get_close_matches(unit, COMMON, n=1)
    return f"did you mean {' or '.join(near)}?" if near else "units are written keV, nm, K, 1/Å"
