"""What service and client say to each other: queries as URL parameters, errors as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from nearfield.datasets import DatasetFiles
from nearfield.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
    UsageError,
)
from nearfield.querying import Query

MAX_PROBLEMS = 1000

# Most particular class first: the first that fits gives the status.
_LISTS = frozenset(name for name, field in Query.model_fields.items() if field.default == ())
_STATUS: tuple[tuple[int, type[NearfieldError]], ...] = (
    (404, DatasetNotFoundError),
    (403, DatasetNotPermittedError),
    (503, CatalogueUnavailableError),
    (409, CatalogueError),
    (400, UsageError),
)


def status_of(error: NearfieldError) -> int:
    """The HTTP status that stands for an error."""
    return next((status for status, kind in _STATUS if isinstance(error, kind)), 500)


def error_of(status: int, message: str, hint: str | None) -> NearfieldError:
    """The error that an HTTP status stands for."""
    kind = dict(_STATUS).get(status, CatalogueUnavailableError if status >= 502 else CatalogueError)
    return kind(message, hint=hint)


def query_to_params(query: Query) -> list[tuple[str, str]]:
    """URL parameters for a query, a list's values one by one; what has its default is left out."""
    params: list[tuple[str, str]] = []
    for name, value in query.model_dump(mode="json", exclude_defaults=True).items():
        for one in value if isinstance(value, list) else [value]:
            text = json.dumps(one) if isinstance(one, dict) else str(one)
            params.append((name, text))
    return params


def query_from_params(params: Iterable[tuple[str, str]]) -> Query:
    """The query that URL parameters ask for; a list's parameter may be there several times.

    Raises:
        UsageError: an unknown or wrongly repeated parameter, or a value that does not fit; names
            it.
    """
    said: dict[str, Any] = {}
    for name, value in params:
        if name in _LISTS:
            said.setdefault(name, []).append(_condition(value) if name == "conditions" else value)
        elif name in said:
            raise UsageError(f"{name}: given twice")
        else:
            said[name] = value
    try:
        return Query.model_validate(said)
    except ValidationError as error:
        raise UsageError(explain_validation(error)) from error


def _condition(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("conditions: not JSON") from error


def explain_validation(error: ValidationError) -> str:
    """pydantic's findings, each with its field's name."""
    if error.error_count() > MAX_PROBLEMS:
        # Listing them would take longer than it took to send them.
        return f"{error.title}: {error.error_count()} things that do not fit"
    found = []
    for problem in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        message = "unknown name" if problem["type"] == "extra_forbidden" else problem["msg"]
        if not where and problem["type"] == "value_error":
            # A rule about several fields: its message names them.
            found.append(message.removeprefix("Value error, "))
        else:
            found.append(f"{where or 'body'}: {message.removeprefix('Value error, ')}")
    return "; ".join(found[:20])


def links_body(found: DatasetFiles) -> dict[str, Any]:
    """The JSON of ``GET datasets/PID/links``."""
    said = found.model_dump(mode="json")
    files = said.pop("paths")
    return {**said, "root": found.root, "files": files}


def links_from_body(said: dict[str, Any]) -> DatasetFiles:
    """What :func:`links_body` says.

    Raises:
        ValueError: it says something else.
    """
    fields = {("paths" if name == "files" else name): value for name, value in said.items()}
    root = fields.pop("root", None)
    found = DatasetFiles.model_validate(fields)
    if found.root != root:
        raise ValueError("root: not the first of files")
    return found


def error_body(message: str, hint: str | None) -> dict[str, Any]:
    """The JSON of every answer that is not a success."""
    return {"error": message, "hint": hint}
