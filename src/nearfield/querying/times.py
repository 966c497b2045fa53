"""Times as one orders and filters by them."""

from __future__ import annotations

from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(time: datetime) -> float:
    """Seconds since 1970 for ordering and filtering. A naive time counts as UTC *here only*:

    what is stored and shown stays as the file says it.
    """
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return (aware - _EPOCH).total_seconds()
