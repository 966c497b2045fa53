"""Times as people write them: ``2024``, ``2024-03``, ``2024-03-05T12:00Z``, ``yesterday``, ``7d``.

Each is a period with a first and a last moment. A time without a zone stays without one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

TICK = timedelta(microseconds=1)
FORMS = "2024, 2024-03, 2024-03-05, 2024-03-05T12:00, today, yesterday or 7d (h, d, w, y)"

_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?", re.ASCII)
_AGO = re.compile(r"(\d{1,5})\s*(h|d|w|y)[a-z]*", re.ASCII | re.IGNORECASE)
_SPAN = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_YEAR = timedelta(days=365)


class NoTimeError(ValueError):
    """A text that is no time; ``str()`` of it says why."""


def period_of(text: str, now: datetime) -> tuple[datetime, datetime]:
    """First and last moment of what ``text`` names; ``7d`` is from seven days ago on.

    Raises:
        NoTimeError: it is no time, or there is no such day.
    """
    text = text.strip()
    plain = text.casefold()
    try:
        if (found := _DATE.fullmatch(text)) is not None:
            return _calendar(*found.groups())
        if plain in ("today", "yesterday"):
            day = (now - timedelta(days=plain == "yesterday")).date()
            first = datetime(day.year, day.month, day.day, tzinfo=now.tzinfo)
            return first, first + timedelta(days=1) - TICK
        if plain == "now":
            return now, now
        if (found := _AGO.fullmatch(text)) is not None:
            number, unit = found.groups()
            return _ago(int(number), unit.lower(), now)
        return _moment(text)
    except OverflowError as error:
        raise NoTimeError(f"{text!r} is out of the calendar") from error
    except NoTimeError:
        raise
    except ValueError as error:
        raise NoTimeError(f"{text!r} is no time") from error


def _ago(number: int, unit: str, now: datetime) -> tuple[datetime, datetime]:
    """In whole days: asked again a moment later, with the next page, it is the same time.

    It ends tomorrow: of what was measured a moment ago a file may say so in a local time without
    its zone, which is in the future here.
    """
    first = now - number * _SPAN.get(unit, _YEAR)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = today + timedelta(days=2) - TICK
    if unit == "h":
        return first.replace(second=0, microsecond=0), ends
    return first.replace(hour=0, minute=0, second=0, microsecond=0), ends


def _calendar(year: str, month: str | None, day: str | None) -> tuple[datetime, datetime]:
    """A year, a month or a day, without a zone."""
    said = "-".join(part for part in (year, month, day) if part)
    try:
        first = datetime(int(year), int(month or 1), int(day or 1))  # noqa: DTZ001
    except ValueError as error:
        raise NoTimeError(f"{said!r} is not in the calendar") from error
    if day is not None:
        after = first + timedelta(days=1)
    elif month is not None:
        after = (first + timedelta(days=32)).replace(day=1)
    else:
        # Not replace(year + 1): the last year that there is has an end, too.
        after = datetime(int(year), 12, 31) + timedelta(days=1)  # noqa: DTZ001
    return first, after - TICK


def _moment(text: str) -> tuple[datetime, datetime]:
    if "T" not in text.upper() and " " not in text:
        raise NoTimeError(f"{text!r} is no time")
    moment = datetime.fromisoformat(text)
    # "12:00" is a minute; with seconds it is one moment.
    minute_only = text.count(":") - _zone_colons(text) < 2
    last = moment + timedelta(minutes=1) - TICK if minute_only else moment
    return moment, last


def _zone_colons(text: str) -> int:
    zone = re.search(r"[+-]\d{2}:\d{2}$", text, re.ASCII)
    return 1 if zone else 0


def year_of(first: datetime | None, last: datetime | None) -> int | None:
    """The year that a period is, if it is one."""
    if first is None or last is None:
        return None
    whole = period_of(f"{first.year:04}", datetime.now(UTC))
    return first.year if whole == (first, last) else None
