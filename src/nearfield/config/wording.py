"""What pydantic finds, as it is said to somebody who writes YAML, JSON or a form."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "list_type": "must be a list: [a, b]",
    "tuple_type": "must be a list: [a, b]",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}, not {tag!r}",
    "union_tag_not_found": "the key {discriminator} is missing",
}
_NO_VALUE = ("missing", "extra_forbidden")
_PATTERNS = {
    "^https?://": "must be an address: https://HOST/PATH",
    "^[a-z0-9][a-z0-9._-]": "must be a name of a-z 0-9 . _ -, and begin with a letter or digit",
}


def in_words(problem: ErrorDetails) -> str:
    """One problem, without where it is; with the value, if the problem holds one and it is short.

    A caller whose values may be secrets asks pydantic for none (``include_input=False``).
    """
    kind = problem["type"]
    if kind == "string_pattern_mismatch":
        pattern = problem["ctx"]["pattern"]
        begins = (words for begin, words in _PATTERNS.items() if pattern.startswith(begin))
        said = next(begins, f"must fit the pattern {pattern}")
    elif kind not in _WORDS:
        return problem["msg"].removeprefix("Value error, ")
    else:
        said = _WORDS[kind].format(**problem.get("ctx", {}))
    given = problem.get("input")
    if kind not in _NO_VALUE and isinstance(given, str | int | float) and len(str(given)) <= 60:
        said += f", not {given!r}"
    return said
