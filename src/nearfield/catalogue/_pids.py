"""PIDs of others as Nearfield's, and back: any text is a PID there, visible ASCII is one here."""

from __future__ import annotations

import re
from urllib.parse import unquote

_FITS = re.compile(r"[\x21-\x24\x26-\x7e]")  # all of visible ASCII but the percent sign


def fitted(pid: str) -> str:
    """A source's PID as Nearfield has it: what does not fit and ``%`` are percent-encoded."""
    return "".join(c if _FITS.fullmatch(c) else _encoded(c) for c in pid)


def original(pid: str) -> str | None:
    """The PID that the source knows; ``None`` where :func:`fitted` never gives ``pid``."""
    found = unquote(pid, errors="replace")
    return found if fitted(found) == pid else None


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
