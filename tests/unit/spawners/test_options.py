"""One check for form, deep link and REST body."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.errors import UsageError
from nearfield_spawners.options import from_form, parse_options


def test_form_and_rest_meet() -> None:
    form = {"profile": ["small"], "datasets": ["a b\nc"], "dataset": ["a"], "_xsrf": ["t"]}
    rest = {"profile": "small", "datasets": ["a", "b", "c"]}
    assert parse_options(from_form(form)) == parse_options(rest)


@pytest.mark.parametrize(
    "data",
    [
        {"runtime": "1"},
        {"profile": "small\n"},
        {"profile": "../x"},
        {"profile": 7},
        {"datasets": ["with space"]},
        {"datasets": ["x"] * 201},
        {"datasets": "x"},
        {"batch_query_cmd": "id"},
    ],
)
def test_refused(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="spawn options refused"):
        parse_options(data)


@given(
    st.dictionaries(st.text(max_size=12), st.lists(st.text(max_size=20), max_size=3), max_size=4)
)
def test_nothing_but_the_two_options_comes_through_a_form(fields: dict[str, list[str]]) -> None:
    try:
        options = parse_options(from_form(fields))
    except UsageError:
        return
    assert set(fields) <= {"profile", "dataset", "datasets", "_xsrf"}
    assert all(pid.isprintable() and " " not in pid for pid in options.datasets)
