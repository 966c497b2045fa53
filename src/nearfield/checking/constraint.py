"""Slurm's feature expressions, as far as one node is concerned: ``a&(b|c)``, ``[x|y]``."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*|[&|()\[\],*]")
_CLOSED_BY = {"(": ")", "[": "]"}


def words(expression: str) -> list[str]:
    """The features that it names, in order; counts (``*4``) are none."""
    found = _TOKEN.findall(re.sub(r"\*\d+", "", expression))
    return list(dict.fromkeys(token for token in found if token[0].isalnum()))


def holds(expression: str, features: frozenset[str]) -> bool | None:
    """Does a node with these features fit?

    ``None`` where that is not for one node to say (counts), or where ``&`` and ``|`` are mixed
    without brackets, which releases of Slurm read differently.
    """
    tokens = _TOKEN.findall(expression)
    if "".join(tokens) != expression:
        return None
    value, rest = _expression(tokens, features)
    return None if rest else value


def _expression(tokens: list[str], features: frozenset[str]) -> tuple[bool | None, list[str]]:
    value, tokens = _one(tokens, features)
    sign = tokens[0] if tokens and tokens[0] in {"&", "|"} else None
    while sign and tokens and tokens[0] == sign:
        more, tokens = _one(tokens[1:], features)
        if value is not None and more is not None:
            value = (value and more) if sign == "&" else (value or more)
        else:
            value = None
    return value, tokens


def _one(tokens: list[str], features: frozenset[str]) -> tuple[bool | None, list[str]]:
    if not tokens:
        return None, []
    first, rest = tokens[0], tokens[1:]
    if first not in _CLOSED_BY:
        return (first in features, rest) if first[0].isalnum() else (None, rest)
    value, rest = _expression(rest, features)
    closed = bool(rest) and rest[0] == _CLOSED_BY[first]
    return (value, rest[1:]) if closed else (None, rest)
