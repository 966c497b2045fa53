"""Parameters: from text, with defaults, checked."""

from __future__ import annotations

import os
from typing import Any

import pytest

from nearfield.errors import ParameterError, UnknownNameError, UsageError
from nearfield.templates.card import Card
from nearfield.templates.parameters import complete, parse_assignments, read_mapping

PROPERTIES: dict[str, Any] = {
    "text": {"type": "string", "default": ""},
    "count": {"type": "integer", "minimum": 1, "default": 5},
    "factor": {"type": "number", "default": 0.5},
    "flag": {"type": "boolean", "default": False},
    "roi": {"type": ["array", "null"], "items": {"type": "integer"}, "default": None},
    "maybe": {"type": ["string", "null"], "default": None},
    "mode": {"enum": ["fast", "exact", 3]},
    "free": {},
    "map": {"type": "object"},
}
CARD = Card.model_validate(
    {
        "name": "a", "version": "1.0", "title": "A",
        "parameters": {"type": "object", "properties": PROPERTIES, "required": ["count"]},
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("text=5", "5"), ("text=null", "null"), ("text=", ""), ("text=a=b", "a=b"),
        ("text=µ", "µ"), ('text="q"', '"q"'),
        ("count=7", 7), ("count=7.0", 7), ("factor=7", 7), ("factor=1e-3", 1e-3),
        ("flag=true", True), ("roi=[1, 2]", [1, 2]), ("roi=null", None),
        ("maybe=x", "x"), ("maybe=null", None), ("maybe=5", "5"),
        ("mode=fast", "fast"), ("mode=3", 3), ("free=x", "x"), ("free=[1]", [1]),
        ('map={"a": {"b": 1}}', {"a": {"b": 1}}),
    ],
)  # fmt: skip
def test_text_is_read_as_the_schema_says(text: str, value: Any) -> None:
    found = parse_assignments(CARD, [text])
    assert found == {text.partition("=")[0]: value}
    assert type(next(iter(found.values()))) is type(value)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["count=x"], "'x' is not of type integer"),
        (["count=0"], "less than the minimum"),
        (["count=true"], "not of type 'integer'"),
        (["count=NaN"], "not of type integer"),
        (["factor=Infinity"], "not of type number"),
        (["flag=yes"], "'yes' is not of type boolean"),
        (["flag=True"], "is not of type boolean"),
        (["roi=[1, 2.5]"], "2.5 is not of type 'integer'"),
        (["roi=[1, 2"], "of type array or null"),
        (["mode=slow"], "parameter mode"),
        (["count"], "no value"),
        (["count=1", "count=2"], "given twice"),
    ],
)
def test_what_does_not_fit_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_assignments(CARD, texts)
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_name_names_the_choices() -> None:
    for ask in (lambda: parse_assignments(CARD, ["cuont=1"]), lambda: complete(CARD, {"cuont": 1})):
        with pytest.raises(UnknownNameError, match="did you mean 'count'"):
            ask()


def test_defaults_complete_the_set() -> None:
    assert complete(CARD, {"count": 2, "roi": [1]}) == {
        "text": "", "count": 2, "factor": 0.5, "flag": False, "roi": [1], "maybe": None,
    }  # fmt: skip


def test_a_required_parameter_without_default_is_asked_for() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    card = Card.model_validate({"name": "a", "version": "1.0", "title": "A", "parameters": schema})
    with pytest.raises(ParameterError, match="-p a="):
        complete(card, {})


def test_rules_across_parameters_hold() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"default": 1}, "b": {}},
        "dependentRequired": {"a": ["b"]},
    }
    card = Card.model_validate({"name": "a", "version": "1.0", "title": "A", "parameters": schema})
    with pytest.raises(ParameterError, match="parameter set: "):
        complete(card, {})


@pytest.mark.parametrize("value", [float("nan"), object(), os.fsdecode(b"\xff")])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="not a JSON value"):
        complete(CARD, {"free": value})


def test_a_file_of_parameters() -> None:
    assert read_mapping("count: 3\nname: a b\n", "f.yaml") == {"count": 3, "name": "a b"}
    assert read_mapping('{"count": 3}', "standard input") == {"count": 3}
    for text, expected in [
        ("count: [1", "f.yaml, line 1: not valid YAML or JSON"),
        ("- 1", "f.yaml: must be a mapping"),
        ("", "f.yaml: must be a mapping"),
        ("1: 2", "f.yaml: must be a mapping of parameter names"),
    ]:
        with pytest.raises(ParameterError, match=expected):
            read_mapping(text, "f.yaml")
    with pytest.raises(ParameterError, match="when: not a JSON value"):
        complete(
            CARD.model_copy(update={"parameters": {"properties": {"when": {}}}}),
            read_mapping("when: 2026-11-21", "f.yaml"),
        )
