"""Checking a template."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nearfield.templates.check import check_template

REPO = Path(__file__).resolve().parents[3]
Make = Callable[..., Path]
ONE = {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "template.ipynb"
    notebook = json.loads(path.read_text())
    edit(notebook)
    path.write_text(json.dumps(notebook))


@pytest.mark.parametrize("folder", sorted((REPO / "notebooks").glob("*/")), ids=lambda p: p.name)
def test_the_templates_that_we_ship_are_in_order(folder: Path) -> None:
    assert check_template(folder) == []


def test_a_template_in_order(make_template: Make) -> None:
    cell = "a: int = 1\ndataset_pids = []\noutput_dir = '.'"
    assert check_template(make_template(cells=(cell,), parameters=ONE)) == []


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("a = 2", "a is 2, the card's default is 1"),
        ("a = True", "a is True, the card's default is 1"),
        ("b = 1", "does not set 'a'"),
        ("a = 1\nb = 2", "sets 'b', which the card does not name"),
        ("a = 1 +", "parameters cell: line 1"),
        ("a = int('1')", "not a literal"),
        ("a, b = 1, 2", "something else than a name"),
    ],
)
def test_parameters_that_differ_from_the_card(make_template: Make, cell: str, words: str) -> None:
    assert words in "\n".join(check_template(make_template(cells=(cell,), parameters=ONE)))


def test_what_is_stored_wrongly(make_template: Make) -> None:
    folder = make_template(cells=("x = 1", "x"), name="folder-name")

    def spoil(notebook: dict[str, Any]) -> None:
        notebook["cells"][0]["metadata"]["tags"] = []
        notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ""}]
        notebook["cells"][0]["execution_count"] = 3
        notebook["metadata"] = {}

    change(folder, spoil)
    (folder / "README.md").write_text("\n")
    folder = folder.rename(folder.with_name("other-name"))
    told = "\n".join(check_template(folder))
    for words in (
        "no code cell has the tag 'parameters'",
        "cell 2: has outputs",
        "README.md: missing or empty",
        "cell 1: has an execution count",
        "names no kernel",
        "the card's name is 'folder-name'",
    ):
        assert words in told


def test_a_notebook_that_is_none(make_template: Make) -> None:
    folder = make_template()
    for content in ("{", "[]", '{"nbformat": 3}'):
        (folder / "template.ipynb").write_text(content)
        assert "not a notebook" in check_template(folder)[0]
    (folder / "template.ipynb").unlink()
    assert "cannot be read" in check_template(folder)[0]
