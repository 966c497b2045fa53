"""Does the value of a field fit what was asked? By its words, or as a whole: ``=ID10``.

Names of instruments, samples and people are longer in a catalogue than what one types of them:
``instrument:pinsaxs`` means "APS 9-ID-C USAXS pinSAXS", too.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from nearfield.querying.words import has_run, tokens

EXACT = "="
# Their values are found by words. Those of the others are names of a list: a technique, a storage.
WORDED = ("instrument", "facility", "sample", "proposal", "owner", "keyword", "format")


def exactly(value: str) -> str:
    """What finds just this value."""
    return EXACT + value


def whole_value(wanted: str) -> str | None:
    """The whole value that is asked for; ``None`` where its words are enough."""
    return wanted[len(EXACT) :] if wanted.startswith(EXACT) else None


@functools.lru_cache(maxsize=20_000)
def value_tokens(value: str) -> tuple[str, ...]:
    """Words of a value, without case and accents."""
    return tuple(tokens(value.casefold()))


def value_holds(wanted: str, value: str) -> bool:
    """Is ``value`` what was asked for, or has it these words one after the other?"""
    whole = whole_value(wanted)
    if whole is not None:
        return value.casefold() == whole.casefold()
    if value.casefold() == wanted.casefold():
        return True
    want = value_tokens(wanted)
    return bool(want) and has_run(value_tokens(value), want)


def fitting(wanted: Iterable[str], values: Iterable[str]) -> list[str]:
    """Those of ``values`` that fit one of what is wanted."""
    asked = tuple(wanted)
    return [value for value in values if any(value_holds(one, value) for one in asked)]
