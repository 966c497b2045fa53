"""Feature expressions."""

from __future__ import annotations

import pytest

from nearfield.checking.constraint import holds, words


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a", True),
        ("c", False),
        ("a&b", True),
        ("a&c", False),
        ("a|c", True),
        ("c|d", False),
        ("a&(c|b)", True),
        ("(a&c)|b", True),
        ("[a|c]", True),
        ("[c|d]", False),
        ("x.y-z_1", False),
        ("a&b|c", None),
        ("[a*2&b*4]", None),
        ("a,b", None),
        ("(a", None),
        ("a&", None),
        ("a)", None),
    ],
)
def test_holds(expression: str, value: bool | None) -> None:
    assert holds(expression, frozenset({"a", "b"})) is value


def test_words() -> None:
    assert words("[rack1*2&rack2*4]&(gpu|a-b.c)&gpu") == ["rack1", "rack2", "gpu", "a-b.c"]
