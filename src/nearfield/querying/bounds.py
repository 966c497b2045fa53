"""Where a comparison of numbers ends: what is equal but for rounding is equal.

8300 eV is 8.3 keV to people, and in binary it is a little more or less; a detector's file has
8.3 in single precision. So ``>=`` takes a border in, and ``>`` leaves it out, as far as single
precision tells numbers apart.
"""

from __future__ import annotations

import math

EQUAL = 1e-6
"""Numbers that differ by less of the larger one are equal to ``=``."""
ROUNDED = 1e-7
"""The same for the border of ``<`` and ``>``; half of the last bit of single precision is 6e-8."""


def border(op: str, value: float, *, exact: bool = False) -> float:
    """The number that ``have op border`` is to be asked of, for ``<``, ``<=``, ``>``, ``>=``.

    ``exact``: whole numbers without a unit, counts and indices, are not rounded by anything.
    """
    if exact:
        return value
    slack = abs(value) * ROUNDED
    return value + slack if op in (">", "<=") else value - slack


def is_exact(value: float, unit: str | None) -> bool:
    """Is it a whole number without a unit?"""
    return unit is None and float(value).is_integer()


def compared(op: str, have: float, want: float, *, exact: bool = False) -> bool:
    """Does ``have op want`` hold?"""
    if op == "=":
        return math.isclose(have, want, rel_tol=EQUAL)
    edge = border(op, want, exact=exact)
    return {"<": have < edge, "<=": have <= edge, ">": have > edge, ">=": have >= edge}[op]


def interval(op: str, value: float, *, exact: bool = False) -> tuple[float, float]:
    """Least and most of what :func:`compared` takes; an end of ``<`` or ``>`` is not in it."""
    if op == "=":
        # As math.isclose: of the larger one.
        ends = (value * (1 - EQUAL), value / (1 - EQUAL))
        return min(ends), max(ends)
    edge = border(op, value, exact=exact)
    return (-math.inf, edge) if op in ("<", "<=") else (edge, math.inf)
