"""A site's own regular expressions, matched in a time that grows with the word alone.

Python's ``re`` goes back over a word again and again: one pattern that was not thought through, and
one word of a user, would hold up the hub for hours. pydantic brings another engine (Rust's
``regex``), which never goes back and therefore knows no look-around and no back-references.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

MAX_PATTERN = 200
_ENGINE = ConfigDict(regex_engine="rust-regex")


def whole_word(pattern: str, word: str) -> bool:
    """Does all of ``word`` match?"""
    try:
        _compiled(rf"\A(?:{pattern})\z").validate_python(word, strict=True)
    except ValidationError:
        return False
    return True


def checked(pattern: str) -> str:
    """``pattern``. Raises ValueError for one that is none, or not one of this engine."""
    try:
        for form in (pattern, rf"\A(?:{pattern})\z"):
            _compiled(form)
    except SchemaError as error:
        why = str(error).strip().splitlines()[-1].removeprefix("error: ")
        raise ValueError(
            f"is not a regular expression as it is matched here: {why}"
            " (docs/reference/configuration.md, hardware)"
        ) from None
    return pattern


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> TypeAdapter[str]:
    return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)], config=_ENGINE)
