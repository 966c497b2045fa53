"""The routes that answer without a token, with public records alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue.serving.announced import Announcements
from nearfield.catalogue.serving.oai import OaiProvider
from nearfield.catalogue.serving.panosc_api import PanoscApi
from nearfield.catalogue.serving.panosc_routes import panosc_routes
from nearfield.catalogue.serving.turns import RETRY_AFTER, BusyError, Turns
from nearfield.config.serving import ServeConfig
from nearfield.errors import CatalogueError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

MAX_FORM = 16 * 1024


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
    if "panosc" in serve.public:
        routes += panosc_routes(PanoscApi(store), turns)
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
