"""Values that look like those of a search that found nothing: ``ID1O`` like ``ID10``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

from nearfield.querying.answers import NearValues, Proposal
from nearfield.querying.model import Query
from nearfield.querying.values import EXACT, WORDED, exactly, value_tokens, whole_value
from nearfield.querying.writing import to_text

MAX_NEAR = 5
MAX_COMPARED = 2000
"""Values that are compared, the most frequent ones: a text is compared letter by letter."""
_ALIKE = 0.7
_LONGEST = 100
_WORD = 3


def asked_values(query: Query, fields: Iterable[str]) -> list[tuple[str, str]]:
    """Fields of a query and each of their values."""
    return [(field, value) for field in fields for value in getattr(query, field)]


def near_values(
    query: Query, field: str, value: str, counts: Mapping[str, int]
) -> NearValues | None:
    """Of the values that there are (``Facets.counts``) those that ``value`` may have meant.

    ``None`` where there is none like it.
    """
    whole = whole_value(value)
    asked = value if whole is None else whole
    found = _near(asked, list(counts)[:MAX_COMPARED])
    if not found:
        return None
    proposals = [Proposal(value=one, query=_instead(query, field, value, one)) for one in found]
    return NearValues(field=field, value=asked, near=tuple(proposals))


def _near(asked: str, values: Iterable[str]) -> list[str]:
    """The likest first; those that hold its letters before all."""
    plain = _plain(asked)
    if not plain:
        return []
    ranked = []
    for value in values:
        have = _plain(value)
        # Likeness to one of its words counts: names are longer than what one types of them.
        words = [word for word in value_tokens(value[:_LONGEST]) if len(word) >= _WORD] + [have]
        likeness = max(_likeness(plain, word) for word in words)
        if plain in have or likeness >= _ALIKE:
            ranked.append((plain not in have, -likeness, value))
    return [value for *_, value in sorted(ranked)[:MAX_NEAR]]


def _likeness(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= _ALIKE else 0.0


def _plain(text: str) -> str:
    return "".join(value_tokens(text[:_LONGEST]))


def _instead(query: Query, field: str, asked: str, value: str) -> str:
    written = exactly(value) if field in WORDED else value.removeprefix(EXACT)
    values = [written if one == asked else one for one in getattr(query, field)]
    return to_text(query.model_copy(update={field: tuple(values), "order": "newest"}))
