"""The OpenAPI document of the REST API, written by ``python -m nearfield_server.openapi``.

The schemas are those of the models that the handlers use, so they cannot say something else. That
every route and method is here, and nothing more, is tested.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from nearfield.querying import Facets
from nearfield.querying.complete import Completions
from nearfield.querying.events import AlsoEvent, DatasetsEvent, EndEvent, SourceEvent
from nearfield_server import models
from nearfield_server.runs import Run, RunRequest
from nearfield_server.session import DatasetsAdded

TITLE = "Nearfield: REST API of a session"
_EVENTS = (SourceEvent, DatasetsEvent, AlsoEvent, EndEvent)
_REF = "#/components/schemas/{model}"


@dataclass(frozen=True)
class Operation:
    """One method of one route."""

    summary: str
    answer: type[BaseModel] | None = None
    """None: bytes, of the type in ``media``."""
    status: int = 200
    many: bool = False
    """The answer is a list of these."""
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    media: tuple[str, ...] = ()
    """Other forms of the answer."""


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("/datasets", "get"): Operation(
        "Search. With Accept: application/x-ndjson one event a line, as they come",
        models.SearchAnswer,
        query=models.SearchAsked,
        media=("application/x-ndjson",),
    ),
    ("/datasets/facets", "get"): Operation(
        "Counts by value of what a search finds", Facets, query=models.FacetsAsked
    ),
    ("/datasets/completions", "get"): Operation(
        "What may be typed next", Completions, query=models.CompletionsAsked
    ),
    ("/datasets/{pid}", "get"): Operation(
        "One record, and the code that opens it", models.DatasetAnswer, query=models.OneAsked
    ),
    ("/datasets/{pid}/files", "get"): Operation(
        "Its files", models.FilesAnswer, query=models.FilesAsked
    ),
    ("/datasets/{pid}/related", "get"): Operation(
        "What it was made from, what was made from it", models.RelatedAnswer, query=models.OneAsked
    ),
    ("/datasets/{pid}/thumbnail", "get"): Operation(
        "A small picture of it",
        query=models.OneAsked,
        media=("image/png", "image/jpeg", "image/webp"),
    ),
    ("/datasets/{pid}/tree", "get"): Operation(
        "Groups, arrays and attributes of a file", models.TreeAnswer, query=models.TreeAsked
    ),
    ("/datasets/{pid}/slice", "get"): Operation(
        "Values of an array, 1 MB at most", models.SliceAnswer, query=models.SliceAsked
    ),
    ("/templates", "get"): Operation("The templates that can be run", models.TemplatesAnswer),
    ("/session", "get"): Operation("What this session is and has", models.SessionAnswer),
    ("/session/datasets", "get"): Operation(
        "The datasets in $NEARFIELD_DATA", models.SessionDatasetsAnswer
    ),
    ("/session/datasets", "post"): Operation(
        "Add datasets, all or none", models.SessionDatasetsAnswer, body=DatasetsAdded
    ),
    ("/runs", "get"): Operation("The runs that this server started", Run, many=True),
    ("/runs", "post"): Operation("Start a template over datasets", Run, 201, body=RunRequest),
    ("/runs/{run}", "get"): Operation("One run", Run),
    ("/runs/{run}/publish", "post"): Operation(
        "Register its result; a second time the same PID", models.Published
    ),
}


def document() -> dict[str, Any]:
    """The whole document."""
    wanted: set[type[BaseModel]] = {models.Refusal, *_EVENTS}
    for operation in OPERATIONS.values():
        wanted |= {model for model in (operation.answer, operation.body) if model is not None}
    answers = sorted(wanted, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(m, "serialization") for m in answers], ref_template=_REF)
    events = {"oneOf": [_ref(event) for event in _EVENTS]}
    paths: dict[str, Any] = {}
    for (path, method), operation in OPERATIONS.items():
        entry = paths.setdefault(path, {})
        if names := re.findall(r"{(\w+)}", path):
            entry["parameters"] = [
                {"name": n, "in": "path", "required": True, "schema": {"type": "string"}}
                for n in names
            ]
        entry[method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "1"},
        "servers": [{"url": "/nearfield/api", "description": "below the server's base URL"}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas["$defs"], "SearchEvent": events},
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "the server's own"},
            },
        },
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _operation(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.answer is not None:
        ref: dict[str, Any] = _ref(operation.answer)
        schema = {"type": "array", "items": ref} if operation.many else ref
        content["application/json"] = {"schema": schema}
    for media in operation.media:
        line = {"$ref": _REF.format(model="SearchEvent")} if "json" in media else {}
        content[media] = {"schema": line}
    refused = {"application/json": {"schema": _ref(models.Refusal)}}
    said: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {
            str(operation.status): {"description": "done", "content": content},
            "default": {"description": "refused", "content": refused},
        },
    }
    if operation.query is not None:
        said["parameters"] = _parameters(operation.query)
    if operation.body is not None:
        body = {"schema": _ref(operation.body)}
        said["requestBody"] = {"required": True, "content": {"application/json": body}}
    return said


def _parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = TypeAdapter(model).json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": {key: value for key, value in said.items() if key != "title"},
        }
        for name, said in schema["properties"].items()
    ]


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
