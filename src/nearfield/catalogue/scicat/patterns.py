"""Regular expressions for MongoDB: what words, phrases and values look like in a field.

Accents cannot be left out of account there. So each search for words has two expressions: one for
what surely holds, in plain ASCII, and one for what may, which also takes anything that is not
ASCII for what was meant. Where both find the same number the answer is exact; else the driver
looks at the candidates itself.
"""

from __future__ import annotations

import re

from nearfield.querying.words import tokens

MAX_LETTERS = 60
PLACES = 3
_OTHER = "[^ -~]"  # not ASCII (or a line break, or a tab)
_SIGN = r"[\x00-/:-@\[-`{-\x7f]"  # ASCII, neither letter nor digit
_NO_LETTER = "[^0-9A-Za-z]"


def surely(text: str, *, whole: bool = False) -> str | None:
    """Holds for certain where this matches; ``None`` where nothing certain can be said."""
    words = tokens(text)
    if not words or not all(word.isascii() for word in words):
        return None
    end = f"(?:$|{_SIGN})" if whole else ""
    return f"(?:^|{_SIGN})" + f"{_SIGN}+".join(words) + end


def within(text: str) -> str | None:
    """As :func:`surely`, for words in one part of a path that has others before and behind."""
    words = tokens(text)
    if not words or not all(word.isascii() for word in words):
        return None
    between = _SIGN.replace("-/", "-.", 1)
    return f"(?:^|{_SIGN})" + f"{between}+".join(words) + f"(?={_SIGN})"


def maybe(text: str, *, whole: bool = False) -> str:
    """Matches wherever the words may be.

    From the first sign that is not ASCII on, anything may have been meant. For the first letters
    each place is told, for the others only how many there are: it must fit into an address.
    """
    letters: list[str] = []
    for number, word in enumerate(tokens(text)):
        if number:
            letters.append(f"{_NO_LETTER}+")
        letters += [c if c.isascii() else _OTHER for c in word]
    cut = len(letters) > MAX_LETTERS
    letters = letters[:MAX_LETTERS]
    end = f"(?:$|{_NO_LETTER})" if whole and not cut else ""
    rest = letters[PLACES:]
    gaps = any(len(letter) > 1 for letter in rest)
    filling = "[ -~]*" if gaps else f"[0-9A-Za-z]{{0,{len(rest)}}}"
    places = ["".join(letters[:place]) for place in range(min(PLACES, len(letters)))]
    places.append("".join(letters[:PLACES]) + (filling if rest else ""))
    return f"(?:^|{_NO_LETTER})(?:{''.join(letters)}{end}|(?:{'|'.join(places)}){_OTHER})"


def exactly(values: tuple[str, ...]) -> str:
    """One of ``values``, whole; together with the option ``i``."""
    return f"^(?:{'|'.join(map(escaped, values))})$"


def escaped(text: str) -> str:
    """``text`` itself. Python escapes blanks and more, which other engines do not need."""
    return re.sub(r"([\\^$.|?*+()\[\]{}/-])", r"\\\1", text)
