"""The routes of the PaNOSC search API, with LoopBack's errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic_core import to_json

from nearfield.catalogue.serving.allowance import allowed
from nearfield.catalogue.serving.loopback import Filter, FilterError, read_filter
from nearfield.catalogue.serving.panosc_api import NotThereError, PanoscApi
from nearfield.catalogue.serving.turns import RETRY_AFTER, BusyError, Turns
from nearfield.errors import CatalogueError, UsageError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

PREFIX = "/panosc/api"
_PARAMETERS = frozenset({"filter", "where"})


def panosc_routes(api: PanoscApi, turns: Turns) -> list[BaseRoute]:
    """``Datasets``, ``Documents`` and ``Instruments``, each with one, count and files."""
    from starlette.routing import Route

    answers: dict[str, Callable[[list[str], _Asked], Awaitable[Any]]] = {
        "Datasets": lambda path, asked: _datasets(api, path, asked),
        "Documents": lambda path, asked: _documents(api, path, asked),
        "Instruments": lambda path, asked: _instruments(api, path, asked),
    }
    return [
        Route(f"{PREFIX}/{name}{rest}", _handler(name, answer, turns), methods=["GET"])
        for name, answer in answers.items()
        for rest in ("", "/{rest:path}")
    ]


class _Asked:
    """The parameters of one request."""

    def __init__(self, request: Request) -> None:
        self._params = request.query_params
        if unknown := sorted(set(self._params) - _PARAMETERS):
            raise FilterError(f"no parameter {unknown[0]!r}; there are: filter, where")
        if any(len(self._params.getlist(name)) > 1 for name in self._params):
            raise FilterError("a parameter is there twice")

    def filter(self) -> Filter:
        if "where" in self._params:
            raise FilterError("where: write it in filter; alone it is for a count")
        return read_filter(self._params.get("filter"))

    def where(self) -> str | None:
        if "filter" in self._params:
            raise FilterError("filter: a count takes where")
        return self._params.get("where")


async def _datasets(api: PanoscApi, path: list[str], asked: _Asked) -> Any:
    match path:
        case []:
            return await api.datasets(asked.filter())
        case ["count"]:
            return await api.count(asked.where())
        case [pid]:
            return await api.dataset(pid, asked.filter())
        case [pid, "files"]:
            return await api.files(pid, asked.filter())
        case [pid, "files", "count"]:
            return await api.count_files(pid, asked.where())
    return None


async def _documents(api: PanoscApi, path: list[str], asked: _Asked) -> Any:
    match path:
        case []:
            return await api.documents(asked.filter())
        case ["count"]:
            return await api.count_documents(asked.where())
        case [pid]:
            return await api.document(pid, asked.filter())
    return None


async def _instruments(api: PanoscApi, path: list[str], asked: _Asked) -> Any:
    match path:
        case []:
            return await api.instruments(asked.filter())
        case ["count"]:
            return await api.count_instruments(asked.where())
        case [pid]:
            return await api.instrument(pid)
    return None


def _handler(
    name: str, answer: Callable[[list[str], _Asked], Awaitable[Any]], turns: Turns
) -> Callable[[Request], Awaitable[Response]]:
    from starlette.responses import JSONResponse
    from starlette.responses import Response as Plain

    def failed(
        status: int, kind: str, message: str, code: str | None = None, **headers: str
    ) -> Response:
        error = {"statusCode": status, "name": kind, "message": message}
        return JSONResponse(
            {"error": error if code is None else {**error, "code": code}}, status, headers=headers
        )

    async def handle(request: Request) -> Response:
        path = _path(request, name)
        try:
            asked = _Asked(request)
            async with turns.taken():
                with allowed():
                    found = await answer(path, asked)
                # Thousands of files take long to write down: not in the loop of all requests.
                body = await asyncio.to_thread(to_json, found)
        except FilterError as error:
            return failed(400, "BadRequestError", error.message)
        except UsageError as error:
            return failed(400, "BadRequestError", error.message)
        except NotThereError:
            found, body = None, b""
        except (BusyError, CatalogueError):
            retry = {"Retry-After": RETRY_AFTER}
            return failed(503, "ServiceUnavailableError", "busy: try again later", **retry)
        if found is None:
            what = f'Unknown "{name.removesuffix("s")}" id "{"/".join(path)[:400]}".'
            return failed(404, "Error", what, "MODEL_NOT_FOUND")
        return Plain(body, media_type="application/json")

    return handle


def _path(request: Request, name: str) -> list[str]:
    """What comes below ``name``: the path as it was sent, so that a PID may hold ``%2F``.

    Clients that send a PID's ``/`` as it is are understood too, but for a PID that ends like a
    route.
    """
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    _, found, rest = raw.decode("latin-1").partition("?")[0].partition(f"{PREFIX}/{name}/")
    segments = [unquote(one) for one in rest.split("/")] if found and rest else []
    tail: list[str] = []
    for ending in (["files", "count"], ["files"]):
        if len(segments) > len(ending) and segments[-len(ending) :] == ending:
            segments, tail = segments[: -len(ending)], ending
            break
    return ["/".join(segments), *tail] if segments else []
