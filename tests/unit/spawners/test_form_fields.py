"""Of a form that shows several hardwares at once only the chosen one's inputs count."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield_spawners.form_fields import field_name, from_form

SHOWN = {
    "profile": ["a"],
    "hardware:a": ["small"],
    "hardware:b": ["large"],
    "cores:a:small": ["2"],
    "cores:a:large": ["16"],
    "cores:b:small": ["4"],
    "memory_mb:b:large": ["64000"],
}


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ({}, {"profile": "a", "hardware": "small", "cores": 2}),
        ({"profile": ["b"]}, {"profile": "b", "hardware": "large", "memory_mb": 64000}),
        ({"hardware:a": ["large"]}, {"profile": "a", "hardware": "large", "cores": 16}),
        ({"cores:a:small": [" "]}, {"profile": "a", "hardware": "small"}),
        ({"cores:a:small": ["two"]}, {"profile": "a", "hardware": "small", "cores": "two"}),
        (
            {"cores": ["3"], "cores:a:small": [""]},
            {"profile": "a", "hardware": "small", "cores": 3},
        ),
        ({"profile": []}, {}),
    ],
)
def test_the_chosen_ones_count(changed: dict[str, list[str]], options: dict[str, Any]) -> None:
    assert from_form(SHOWN | changed) == options


@pytest.mark.parametrize(
    "name", ["cores:a", "cores:a:b:c", "hardware:", "hardware:A", "runtime:a:small", "cores:a:../x"]
)
def test_what_is_no_field_is_kept_for_the_check_to_refuse(name: str) -> None:
    assert name in from_form(SHOWN | {name: ["1"]})


NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)


@given(NAMES, NAMES, NAMES, st.integers(1, 64))
def test_a_qualified_field_says_what_the_flat_one_says(
    profile: str, hardware: str, other: str, cores: int
) -> None:
    qualified = {
        "profile": [profile],
        field_name("hardware", profile): [hardware],
        field_name("cores", profile, hardware): [str(cores)],
    }
    foreign = {field_name("cores", profile, other): ["9999"]} if other != hardware else {}
    flat = {"profile": [profile], "hardware": [hardware], "cores": [str(cores)]}
    assert from_form(qualified | foreign) == from_form(flat)
