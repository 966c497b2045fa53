"""SciCat's PIDs as Nearfield's, and back: any text is a PID there, visible ASCII is one here."""

from __future__ import annotations

import re
from urllib.parse import unquote

_FITS = re.compile(r"[\x21-\x24\x26-\x7e]")  # all of visible ASCII but the percent sign


def outside(pid: str) -> str:
    """A PID of SciCat's as Nearfield has it: what does not fit and ``%`` are percent-encoded.

    Raises:
        ValueError: half a character (a lone surrogate), which no address can hold.
    """
    return "".join(c if _FITS.fullmatch(c) else _encoded(c) for c in pid)


def inside(pid: str) -> str | None:
    """The PID that SciCat knows; ``None`` where :func:`outside` never gives ``pid``."""
    found = unquote(pid, errors="replace")
    return found if outside(found) == pid else None


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
