"""Holds every request and every answer to a published OpenAPI document.

::

    transport = CheckedTransport(fake.transport(), json.loads(document.read_text()))
    client = httpx.AsyncClient(transport=transport)

A route, a parameter, a field or a status that the document does not have is an error, in requests,
bodies and answers alike. What a document leaves open (``type: object`` alone) is open here too;
where it is known to say less than its server does, that is named by the caller as ``loose``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
from jsonschema import Draft202012Validator, FormatChecker

Schema = dict[str, Any]
_FORMATS = FormatChecker(formats=())


class ContractBreachError(AssertionError):
    """A request or an answer that the document does not allow."""


@_FORMATS.checks("date-time")
def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        # RFC 3339: with a zone.
        return "T" in value and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


class CheckedTransport(httpx.AsyncBaseTransport):
    """Passes requests on to ``inner``, and checks them and what comes back.

    ``loose``: schemas that may hold more fields than the document lists, and properties that it
    gets wrong, by name, each with the reason. ``examples``: names of properties whose own
    properties are examples only. ``nothing``: routes that may answer without a body.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        document: Mapping[str, Any],
        *,
        loose: Mapping[str, str] | None = None,
        examples: frozenset[str] = frozenset(),
        nothing: frozenset[str] = frozenset(),
    ) -> None:
        self._inner, self._paths = inner, document["paths"]
        self._loose, self._examples, self._nothing = loose or {}, examples, nothing
        self._schemas: Mapping[str, Schema] = document["components"]["schemas"]
        self._strict = {name: self._closed(name, one) for name, one in self._schemas.items()}
        self.checked = 0

    def over(self, inner: httpx.AsyncBaseTransport) -> CheckedTransport:
        """The same checks over another transport; to read a document takes a while."""
        made = copy.copy(self)
        made._inner, made.checked = inner, 0
        return made

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw = request.url.raw_path.decode()
        path, _, query = raw.partition("?")
        template, operation = self._operation(request.method, path)
        where = f"{request.method} {template}"
        self._check_params(where, operation, query)
        await request.aread()
        self._check_body(where, operation, request.content)
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        self._check_answer(where, template, operation, answer)
        self.checked += 1
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _operation(self, method: str, path: str) -> tuple[str, Schema]:
        parts = path.strip("/").split("/")
        best: tuple[int, str] | None = None
        for template in self._paths:
            wanted = template.strip("/").split("/")
            if len(wanted) != len(parts) or method.lower() not in self._paths[template]:
                continue
            pairs = list(zip(wanted, parts, strict=True))
            if all(one.startswith("{") or one == said for one, said in pairs):
                fixed = sum(not one.startswith("{") for one in wanted)
                best = max(best or (fixed, template), (fixed, template))
        if best is None:
            raise ContractBreachError(f"{method} {path}: the document has no such route")
        return best[1], self._paths[best[1]][method.lower()]

    def _check_params(self, where: str, operation: Schema, query: str) -> None:
        known: dict[str, Schema] = {}
        for one in operation.get("parameters", ()):
            if one["in"] != "query":
                continue
            exploded = self._exploded(one)
            known |= exploded if exploded else {one["name"]: one}
        said = parse_qsl(query, keep_blank_values=True)
        for name, value in said:
            if name not in known:
                raise ContractBreachError(f"{where}: no parameter {name!r}")
            content = known[name].get("content", {}).get("application/json")
            if content is not None:
                schema = self._closed(f"parameter {name}", content["schema"])
                self._validate(f"{where}, {name}", schema, json.loads(value))
            elif known[name].get("schema", {}).get("type") == "string":
                continue
        for name, one in known.items():
            if one.get("required") and name not in dict(said):
                raise ContractBreachError(f"{where}: parameter {name!r} is missing")

    def _exploded(self, one: Schema) -> dict[str, Schema]:
        """An object as a parameter is written property by property (``form``, ``explode``)."""
        for part in one.get("schema", {}).get("allOf", ()):
            name = part.get("$ref", "").rpartition("/")[2]
            if "properties" in self._schemas.get(name, {}):
                properties = self._schemas[name]["properties"]
                return {key: {"schema": value} for key, value in properties.items()}
        return {}

    def _check_body(self, where: str, operation: Schema, content: bytes) -> None:
        wanted = operation.get("requestBody")
        if wanted is None:
            if content:
                raise ContractBreachError(f"{where}: takes no body")
            return
        if not content:
            raise ContractBreachError(f"{where}: a body is missing")
        schema = next(iter(wanted["content"].values()))["schema"]
        self._validate(f"{where}, body", self._closed("body", schema), json.loads(content))

    def _check_answer(
        self, where: str, template: str, operation: Schema, answer: httpx.Response
    ) -> None:
        status = str(answer.status_code)
        if status not in operation["responses"]:
            # Refusals are not in such documents; they say what NestJS says.
            if answer.status_code >= 400 and isinstance(answer.json().get("message"), str | list):
                return
            raise ContractBreachError(f"{where}: no answer {status}")
        content = operation["responses"][status].get("content")
        if content is None or (not answer.content and template in self._nothing):
            return
        schema = next(iter(content.values()))["schema"]
        closed = self._closed("answer", schema)
        self._validate(f"{where}, answer {status}", closed, answer.json())

    def _validate(self, where: str, schema: Schema, value: Any) -> None:
        whole = {**schema, "components": {"schemas": self._strict}}
        check = Draft202012Validator(whole, format_checker=_FORMATS)
        errors = sorted(check.iter_errors(value), key=lambda error: str(error.json_path))
        if errors:
            found = "; ".join(f"{e.json_path}: {e.message[:200]}" for e in errors[:5])
            raise ContractBreachError(f"{where}: {found}")

    def _closed(self, name: str, schema: Schema) -> Schema:
        """The schema with no room for fields that it does not list, in JSON Schema's words."""
        if name in self._loose:
            return schema
        walk: Callable[[Any, str], Any] = self._walk
        found: Schema = walk(schema, name)
        return found

    def _walk(self, said: Any, name: str) -> Any:
        if isinstance(said, list):
            return [self._walk(one, name) for one in said]
        if not isinstance(said, dict):
            return said
        if name in self._loose:
            return {}
        if name in self._examples:
            return {"type": "object"}
        found: dict[str, Any] = {}
        for key, value in said.items():
            if key == "properties":
                found[key] = {one: self._walk(schema, one) for one, schema in value.items()}
            elif key not in ("example", "default", "description"):
                found[key] = self._walk(value, key)
        single = found.get("allOf")
        if isinstance(single, list) and len(single) == 1:
            found.pop("allOf")
            found |= single[0]
        if "properties" in found and "additionalProperties" not in found:
            found["additionalProperties"] = False
        if found.pop("nullable", False) and "type" in found:
            found["type"] = [found["type"], "null"]
        return found
