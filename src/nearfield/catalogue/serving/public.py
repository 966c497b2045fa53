"""The routes that answer without a token, with public records alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue.serving.announced import Announcements
from nearfield.catalogue.serving.oai import OaiProvider
from nearfield.config.serving import ServeConfig
from nearfield.errors import CatalogueError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

MAX_FORM = 16 * 1024
AT_ONCE = 2
WAITING = 50
RETRY_AFTER = "5"


class BusyError(Exception):
    """More questions at once than the public may keep waiting."""


class Turns:
    """A few public requests at a time: strangers must not keep the hub's users waiting."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._free, self._room = asyncio.Semaphore(at_once), at_once + waiting

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Raises BusyError where too many wait already."""
        if self._room <= 0:
            raise BusyError
        self._room -= 1
        try:
            async with self._free:
                yield
        finally:
            self._room += 1


def public_routes(store: CatalogueStore, serve: ServeConfig) -> list[BaseRoute]:
    """The routes of the interfaces that the configuration opens."""
    from starlette.routing import Route

    turns = Turns()
    routes: list[BaseRoute] = []
    if "oai" in serve.public:
        provider = OaiProvider(
            Announcements(store),
            base_url=f"{(serve.url or '').rstrip('/')}/oai",
            name=serve.title or store.name,
            admin_email=serve.admin_email or "",
        )
        routes.append(Route("/oai", _oai(provider, turns), methods=["GET", "POST"]))
    return routes


def _oai(provider: OaiProvider, turns: Turns) -> Callable[[Request], Awaitable[Response]]:
    from starlette.responses import PlainTextResponse, Response

    async def handle(request: Request) -> Response:
        if request.method == "POST":
            body = bytearray()
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_FORM:
                    return PlainTextResponse(f"more than {MAX_FORM} bytes\n", 413)
            try:
                params = parse_qsl(
                    body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20
                )
            except ValueError:
                return PlainTextResponse("more than 20 fields\n", 413)
        else:
            params = request.query_params.multi_items()
        try:
            async with turns.taken():
                document = await asyncio.to_thread(provider.answer, params)
        except (BusyError, CatalogueError):
            return PlainTextResponse(
                "busy: try again later\n", 503, headers={"Retry-After": RETRY_AFTER}
            )
        return Response(document, media_type="text/xml; charset=utf-8")

    return handle
