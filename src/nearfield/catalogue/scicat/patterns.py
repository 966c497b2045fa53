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


def maybe(text: str, *, whole: bool = False) -> str:
    """Matches wherever the words may be."""
    words = tokens(text)
    letters: list[str] = []
    for number, word in enumerate(words):
        if number:
            letters.append(f"{_NO_LETTER}+")
        letters += [c if c.isascii() else _OTHER for c in word]
    cut = len(letters) > MAX_LETTERS
    letters = letters[:MAX_LETTERS]
    found = f"(?:$|{_NO_LETTER})" if whole and not cut else ""
    for letter in reversed(letters):
        # From the first sign that is not ASCII on, anything may have been meant.
        step = f"{letter}{found}"
        found = step if len(letter) > 1 else f"(?:{step}|{_OTHER})"
    return f"(?:^|{_NO_LETTER}){found}"


def exactly(values: tuple[str, ...]) -> str:
    """One of ``values``, whole; together with the option ``i``."""
    return f"^(?:{'|'.join(map(escaped, values))})$"


def escaped(text: str) -> str:
    """``text`` itself. Python escapes blanks and more, which other engines do not need."""
    return re.sub(r"([\\^$.|?*+()\[\]{}/-])", r"\\\1", text)
