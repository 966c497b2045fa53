"""Is a template in order? All that can be told without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nearfield.errors import ConfigError
from nearfield.templates.card import GIVEN, NOTEBOOK_NAME, README_NAME, Card, load_card
from nearfield.templates.notebook import assigned, parameter_cell, read_notebook, source


def check_template(folder: Path) -> list[str]:
    """Everything that is wrong with the template in ``folder``; empty where nothing is."""
    try:
        card = load_card(folder)
    except ConfigError as error:
        return str(error).splitlines()
    problems = []
    if card.name != folder.resolve().name:
        problems.append(f"{folder}: the card's name is {card.name!r}; name the folder so")
    readme = folder / README_NAME
    if not readme.is_file() or not readme.read_bytes().strip():
        problems.append(f"{readme}: missing or empty")
    path = folder / NOTEBOOK_NAME
    try:
        notebook = read_notebook(path)
    except ConfigError as error:
        return [*problems, str(error)]
    found = [*_kernel(card, notebook), *_cells(notebook), *_parameters(card, notebook)]
    return problems + [f"{path}: {problem}" for problem in found]


def _kernel(card: Card, notebook: dict[str, Any]) -> list[str]:
    named = notebook.get("metadata", {}).get("kernelspec", {}).get("name")
    if not named:
        return ["names no kernel (metadata.kernelspec.name)"]
    if named != card.environment.kernel:
        return [f"its kernel is {named!r}, the card's {card.environment.kernel!r}"]
    return []


def _cells(notebook: dict[str, Any]) -> list[str]:
    problems = []
    for number, cell in enumerate(notebook.get("cells", []), 1):
        if cell.get("cell_type") != "code":
            continue
        if cell.get("outputs"):
            problems.append(f"cell {number}: has outputs; clear them before storing")
        elif cell.get("execution_count") is not None:
            problems.append(f"cell {number}: has an execution count; clear it before storing")
    return problems


def _parameters(card: Card, notebook: dict[str, Any]) -> list[str]:
    cell = parameter_cell(notebook)
    if cell is None:
        return ["no code cell has the tag 'parameters'"]
    language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    if language.lower() != "python":
        return []
    try:
        values = assigned(source(cell))
    except ValueError as error:
        return [f"parameters cell: {error}"]
    problems = []
    for name, schema in card.properties.items():
        if name not in values:
            if "default" in schema or name not in card.parameters.get("required", ()):
                problems.append(f"parameters cell: does not set {name!r}, which the card names")
        elif "default" in schema and not _same(values[name], schema["default"]):
            problems.append(
                f"parameters cell: {name} is {values[name]!r}, the card's default is "
                f"{schema['default']!r}"
            )
    problems += [
        f"parameters cell: sets {name!r}, which the card does not name"
        for name in values
        if name not in card.properties and name not in GIVEN
    ]
    return problems


def _same(left: Any, right: Any) -> bool:
    # 1 == True and (1, 2) != [1, 2] in Python; a card has neither in mind.
    if isinstance(left, tuple):
        left = list(left)
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
