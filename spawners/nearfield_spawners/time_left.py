"""How long a session may still run, and whether its person should be told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Warned(NamedTuple):
    """A warning that holds now."""

    minutes: int
    """The mark that was passed, of ``sessions.warn_minutes``."""
    message: str


def warning_of(ends_at: float, now: float, marks: Iterable[int]) -> Warned | None:
    """The warning that holds at ``now``: of the last mark that was passed. None without one."""
    left = ends_at - now
    passed = [minutes for minutes in marks if left <= minutes * 60]
    if not ends_at or not passed or left <= 0:
        return None
    minutes = max(1, round(left / 60))
    return Warned(
        min(passed),
        f"This session reaches its time limit in about {minutes} min: save your work.",
    )
