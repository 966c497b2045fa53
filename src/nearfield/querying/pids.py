"""A search that is the name of one dataset: a PID or DOI, pasted alone or after ``pid:``."""

from __future__ import annotations

import re

from nearfield.datasets import MAX_PID
from nearfield.querying.model import Query

_PID = re.compile(rf"[\x21-\x7e]{{1,{MAX_PID}}}")
_RESOLVER = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|https?://hdl\.handle\.net/|doi:)", re.I)
_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+", re.ASCII)
# A handle (20.500.12269/…), a UUID: nobody types these as words.
_HANDLE = re.compile(r"\d{2,}\.\d+(?:\.\d+)*/\S+", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.I)
EXPLICIT = "pid:"


def is_pid(text: str) -> bool:
    """May this be a PID at all? Printable ASCII without blanks."""
    return _PID.fullmatch(text) is not None


def without_resolver(text: str) -> str:
    """A DOI without the address or the word before it; anything else as it is."""
    return _RESOLVER.sub("", text, count=1) if _RESOLVER.match(text) else text


def doi_of(text: str) -> str | None:
    """The DOI that ``text`` is, without capitals; ``None`` where it is none."""
    plain = without_resolver(text.strip())
    return plain.casefold() if _DOI.fullmatch(plain) else None


def is_unique(pid: str) -> bool:
    """Is this name given once in the world: a DOI, a handle, a UUID?"""
    plain = without_resolver(pid)
    return any(kind.fullmatch(plain) for kind in (_DOI, _HANDLE, _UUID))


def pid_asked_for(query: Query) -> str | None:
    """The PID that is all that ``query`` says, if it is one.

    After ``pid:`` any name counts; pasted alone what looks like a DOI, a handle or a UUID.
    """
    words = query.text.split()
    if len(words) != 1 or query.phrases:
        return None
    if words[0].startswith(EXPLICIT):
        return without_resolver(words[0].removeprefix(EXPLICIT))
    plain = without_resolver(words[0])
    return plain if is_unique(plain) and is_pid(plain) else None


def is_explicit(query: Query) -> bool:
    """Was the name written after ``pid:``? Then nothing else is looked for."""
    return query.text.startswith(EXPLICIT)
