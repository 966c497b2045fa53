"""Row numbers of the embedded catalogue: ascending, they walk from the newest to the oldest.

A full-text search gives its hits by row number. Numbers that follow the time let every search, by
words or by fields, stop after one page; a page's place in the order is a number too.
"""

from __future__ import annotations

import hashlib

# 2**49 ms reach from the year 1 far beyond 9999; 13 bits tell those of one millisecond apart.
_LAST = 1 << 49
_FROM_YEAR_ONE = 62_135_596_800_000
_BITS = 13
UNDATED = 1 << 62
# How far a number may be from its millisecond where very many have the same time, as those with
# a date alone do.
_WIDER = (_BITS, 16, 20, 24, 27)
SPREAD_MS = 1 << (_WIDER[-1] - _BITS)


def first_at(instant: float) -> int:
    """The first number of what is from this moment (seconds since 1970)."""
    milliseconds = int(instant * 1000) + _FROM_YEAR_ONE
    return (_LAST - max(0, min(milliseconds, _LAST))) << _BITS


def number_at(pid: str, instant: float | None, attempt: int = 0) -> int:
    """A number for a dataset, the same whenever it is asked for; further attempts, other ones."""
    mark = hashlib.blake2b(f"{attempt}/{pid}".encode(), digest_size=8).digest()
    some = int.from_bytes(mark, "big")
    if instant is None:
        return UNDATED + some % (1 << 48)
    return first_at(instant) + some % (1 << _WIDER[min(attempt, len(_WIDER) - 1)])


def window(since: float | None, until: float | None) -> tuple[int, int]:
    """Numbers outside of which nothing of these times can be."""
    spread = SPREAD_MS / 1000 + 1
    first = 0 if until is None else first_at(until + 0.001)
    last = UNDATED - 1 if since is None else first_at(since - spread)
    return first, last
