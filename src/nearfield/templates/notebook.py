"""The notebook of a template, read as the JSON that it is."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nearfield.errors import ConfigError


def read_notebook(path: Path) -> dict[str, Any]:
    """Raises ConfigError where there is no notebook of nbformat 4."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not a notebook: {error}") from error
    if not isinstance(found, dict) or found.get("nbformat") != 4:
        raise ConfigError(f"{path}: not a notebook of nbformat 4")
    return found


def source(cell: dict[str, Any]) -> str:
    """The text of a cell, which may be stored as one string or as lines."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def tags(cell: dict[str, Any]) -> list[str]:
    found = cell.get("metadata", {}).get("tags", [])
    return [str(tag) for tag in found] if isinstance(found, list) else []


def heading(cells: Sequence[dict[str, Any]]) -> str:
    """The last Markdown heading in ``cells``, in its words; "" where there is none."""
    for cell in reversed(cells):
        if cell.get("cell_type") == "markdown":
            for line in reversed(source(cell).splitlines()):
                if found := _HEADING.fullmatch(line):
                    return found[1]
    return ""


_HEADING = re.compile(r" {0,3}#{1,6}\s+(.*?)[\s#]*")


def parameter_cell(notebook: dict[str, Any]) -> dict[str, Any] | None:
    """The code cell tagged ``parameters``, after which a run puts its values."""
    return next(
        (
            cell
            for cell in notebook.get("cells", [])
            if cell.get("cell_type") == "code" and "parameters" in tags(cell)
        ),
        None,
    )


def assigned(code: str) -> dict[str, Any]:
    """The names that ``code`` assigns at its top level, with their literal values.

    Raises:
        ValueError: it is not Python, or a value is no literal.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from error
    values: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        else:
            continue
        for target in targets:
            if not isinstance(target, ast.Name):
                raise ValueError(f"line {statement.lineno}: assigns to something else than a name")
            try:
                values[target.id] = ast.literal_eval(value)
            except ValueError as error:
                raise ValueError(
                    f"line {statement.lineno}: the value of {target.id} is not a literal"
                ) from error
    return values
