"""Bytes and seconds in words."""

from __future__ import annotations


def size(count: float) -> str:
    """``1.05 GB``: three digits, powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            return f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError  # the loop returns


def duration(seconds: float) -> str:
    """``less than a second``, ``12 s``, ``3 min``, ``1.5 h``."""
    if seconds < 0.95:
        return "less than a second"
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def frames(count: int) -> str:
    """``1 frame``, ``2,000 frames``."""
    return f"{count:,} frame{'' if count == 1 else 's'}"
