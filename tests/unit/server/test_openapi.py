"""The OpenAPI file and the handlers say the same; nobody is answered without rights."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from nearfield_server import routes
from nearfield_server.extension import BlockedHandler
from nearfield_server.openapi import document

FILE = Path(__file__).parents[3] / "docs/reference/server-api.openapi.json"
METHODS = ("get", "head", "post", "delete", "patch", "put")


def methods_of(handler: type[Any]) -> set[str]:
    """The methods that a class of ours takes, and not tornado's refusals."""
    return {
        name
        for name in METHODS
        if getattr(handler, name).__module__.startswith("nearfield_server")
        or "nearfield_server" in getattr(inspect.unwrap(getattr(handler, name)), "__module__", "")
    }


def test_every_route_and_method_both_ways() -> None:
    have = {(path, name) for path, handler in routes.ROUTES for name in methods_of(handler)}
    told = {(path, name) for path, said in document()["paths"].items() for name in said}
    assert have == {one for one in told if one[1] != "parameters"}
    assert len(have) >= 14


def test_the_file_is_what_the_program_writes() -> None:
    assert json.loads(FILE.read_text()) == document(), "python -m nearfield_server.openapi > it"


def decorators(function: Any) -> list[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    [made] = tree.body
    assert isinstance(made, ast.AsyncFunctionDef | ast.FunctionDef)
    return [ast.unparse(one) for one in made.decorator_list]


@pytest.mark.parametrize(
    "handler",
    [*dict.fromkeys(h for _, h in routes.ROUTES), BlockedHandler],
    ids=lambda h: h.__name__,
)
def test_every_method_asks_who_and_whether_they_may(handler: type[Any]) -> None:
    assert handler.auth_resource == "nearfield"
    methods = methods_of(handler)
    assert methods
    for name in methods:
        found = decorators(inspect.unwrap(getattr(handler, name)))
        assert found == ["web.authenticated", "authorized"], (handler, name)


async def test_each_route_refuses_who_is_nobody_and_who_may_not(server: Any) -> None:
    async def never(*_said: Any) -> bool:
        return False

    paths = [(path, method) for path, said in document()["paths"].items() for method in said]
    asked = [
        (method, path.replace("{pid}", "p").replace("{run}", "0" * 12))
        for path, method in paths
        if method != "parameters"
    ]
    for method, path in asked:
        answer = await server.client.request(
            method, f"/nearfield/api{path}", headers={"Authorization": "token no"}
        )
        assert answer.status_code == 403, (path, answer.status_code)
    server.app.web_app.settings["authorizer"].is_authorized = never
    for method, path in asked:
        answer = await server.client.request(method, f"/nearfield/api{path}")
        assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden"), path
