"""From what HDF5 files hold to plain Python values.

Files in the wild have byte strings, strings in arrays of one, Latin-1 bytes under a UTF-8 tag,
NUL padding, and times with and without a zone. Nothing here raises on what a file holds: a
value that cannot be understood is ``None``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from nearfield.datasets import MAX_TITLE

MAX_TEXT = 2000
# "2023-05-23 15:47:17 -0700" (openPMD): the blank before the zone is not ISO 8601.
_BLANK_ZONE = re.compile(r"\s+(?=[+-]\d\d:?\d\d$|Z$)")
# Ways of writing a time that can be read in one way alone.
_UTC = re.compile(r"\s*(?:UTC|GMT)$")
_SLASHES = re.compile(r"^(\d{4})/(\d\d)/(\d\d)(?=\D|$)")
_CTIME = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d(?:\.\d+)?) (\d{4})"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


def text_of(value: Any, limit: int = MAX_TEXT) -> str | None:
    """The string in ``value``: bytes, str, or an array of one of these; else ``None``."""
    texts = texts_of(value, limit)
    return texts[0] if texts else None


def texts_of(value: Any, limit: int = MAX_TEXT) -> list[str]:
    """All non-empty strings in ``value``, in order."""
    if isinstance(value, str):
        # h5py decodes with surrogateescape: go back to the bytes that the file holds.
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        cleaned = _CONTROL.sub(" ", _decode(value.split(b"\0", 1)[0])).strip()[:limit]
        return [cleaned] if cleaned else []
    tolist = getattr(value, "tolist", None)
    items = tolist() if callable(tolist) else value
    if isinstance(items, (list, tuple)):
        return [text for item in items for text in texts_of(item, limit)]
    return texts_of(items, limit) if isinstance(items, (str, bytes)) else []


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        # Every byte is a Latin-1 character, so this cannot fail.
        return raw.decode("latin-1")


def number_of(value: Any) -> float | int | bool | None:
    """The finite real number in ``value`` (a scalar or an array of one), else ``None``."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "size", 0) == 1:
        value = item()
    if isinstance(value, (bool, int)):
        # JSON readers in other languages keep 53 bits.
        return value if abs(value) < 2**53 else float(value)
    try:
        # numpy's long double has no Python twin: item() gives it back unchanged.
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def time_of(text: str | None) -> datetime | None:
    """The time that ``text`` says, with its zone if it says one and naive if it does not."""
    if not text:
        return None
    plain = _SLASHES.sub(r"\1-\2-\3", _UTC.sub("Z", text.strip()))
    if (said := _CTIME.fullmatch(plain)) is not None and said[1] in _MONTHS:
        plain = f"{said[4]}-{_MONTHS.index(said[1]) + 1:02}-{int(said[2]):02}T{said[3]}"
    try:
        return datetime.fromisoformat(_BLANK_ZONE.sub("", plain))
    except ValueError:
        return None


def unique(values: Iterable[str | None]) -> list[str]:
    """The values without ``None`` and repetitions, in order."""
    return list(dict.fromkeys(value for value in values if value))


def title_from(texts: Iterable[str | None]) -> tuple[str | None, list[str]]:
    """Distinct titles as one, as long as a title may be, and a warning where it was cut."""
    whole = "; ".join(unique(texts))
    if len(whole) <= MAX_TITLE:
        return whole or None, []
    return whole[:MAX_TITLE], [f"the title, longer than {MAX_TITLE} characters, was cut"]


def joined(values: Iterable[str | None], limit: int = 300) -> str | None:
    """Distinct values of several entries as one text: ``"ESRF, ID10b; DESY, P08"``."""
    return "; ".join(unique(values))[:limit] or None
