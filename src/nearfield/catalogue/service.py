"""``nearfield catalogue serve``: the embedded catalogue for all users of a hub, over HTTP.

Runs as a service that JupyterHub manages (``JUPYTERHUB_API_URL``, ``JUPYTERHUB_API_TOKEN``,
``JUPYTERHUB_SERVICE_PREFIX``, ``JUPYTERHUB_SERVICE_URL``, ``JUPYTERHUB_SERVICE_NAME`` in the
environment). Every request is answered with the rights of the user whose hub token it carries,
if that token may access this service; cookies count for nothing, so no web page can ask in a
user's name. The routes are in ``docs/reference/catalogue.md``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from nearfield.catalogue._hub_auth import HubAuthenticator, NotLoggedInError, hub_tls
from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue._wire import (
    explain_validation,
    links_body,
    query_from_params,
    status_of,
)
from nearfield.catalogue.serving.health import health_handler
from nearfield.catalogue.serving.public import public_routes
from nearfield.catalogue.serving.replies import SEE, answer, refused
from nearfield.catalogue.serving.write_routes import write_handlers
from nearfield.catalogue.sqlite import SqliteCatalogue
from nearfield.config.serving import ServeConfig
from nearfield.datasets import DataFile, DerivedDataset
from nearfield.errors import BlockedError, NearfieldError, UsageError
from nearfield.extras import install_extra

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MAX_BODY = 4 * 1024 * 1024
MAX_PIDS = 200
_PARTS = frozenset({"files", "links", "thumbnail"})
_FILES: TypeAdapter[tuple[DataFile, ...]] = TypeAdapter(tuple[DataFile, ...])


class _TooLargeError(Exception):
    """A body beyond MAX_BODY."""


def make_app(
    store: CatalogueStore,
    hub: HubAuthenticator | None,
    prefix: str = "/",
    *,
    serve: ServeConfig | None = None,
) -> Starlette:
    """The ASGI application, answering below ``prefix``; without a hub only to the public."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.responses import Response as Plain
    from starlette.routing import Mount, Route

    base = "/" + prefix.strip("/")
    serve = serve or ServeConfig()

    def guarded(
        work: Callable[[Request, SqliteCatalogue], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        """Find out who asks, do the work with his rights, say in JSON what went wrong."""

        async def handle(request: Request) -> Response:
            try:
                if hub is None:
                    return refused(404, "no such route", "only public interfaces are served here")
                user = await hub.principal(request.headers.get("authorization"))
                return await work(request, SqliteCatalogue(store, user))
            except NotLoggedInError:
                return refused(
                    401,
                    "the hub does not know this token",
                    "send 'Authorization: Bearer TOKEN' with a hub token of yours",
                )
            except _TooLargeError:
                return refused(
                    413, f"more than {MAX_BODY} bytes", "keep long logs in a file of the result"
                )
            except ValidationError as error:
                return refused(400, explain_validation(error))
            except NearfieldError as error:
                return refused(status_of(error), error.message, error.hint)

        return handle

    async def search(request: Request, catalogue: SqliteCatalogue) -> Response:
        page = await catalogue.search(query_from_params(request.query_params.multi_items()))
        return answer(page.model_dump_json())

    async def summaries(request: Request, catalogue: SqliteCatalogue) -> Response:
        params = request.query_params.multi_items()
        pids = [value for name, value in params if name == "pid"]
        if len(pids) > MAX_PIDS:
            raise UsageError(f"pid: more than {MAX_PIDS}")
        query = query_from_params((name, value) for name, value in params if name != "pid")
        return answer((await catalogue.summaries(query, pids)).model_dump_json())

    async def facets(request: Request, catalogue: SqliteCatalogue) -> Response:
        found = await catalogue.facets(query_from_params(request.query_params.multi_items()))
        return answer(found.model_dump_json())

    async def one(request: Request, catalogue: SqliteCatalogue) -> Response:
        pid, part = _pid_of(request, base)
        if part == "thumbnail":
            picture = await catalogue.thumbnail(pid)
            if picture is None:
                return Plain(status_code=204, headers={"Cache-Control": "no-store"})
            headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
            return Plain(picture.content, media_type=picture.media_type, headers=headers)
        if part == "links":
            found = links_body(await catalogue.links(pid))
            return JSONResponse(found, headers={"Cache-Control": "no-store"})
        dataset = await catalogue.get(pid)
        if part == "files":
            return answer(_FILES.dump_json(dataset.files))
        return answer(dataset.model_dump_json())

    async def derive(request: Request, catalogue: SqliteCatalogue) -> Response:
        body = await _body(request)
        wanted = await asyncio.to_thread(DerivedDataset.model_validate_json, body)
        return JSONResponse({"pid": await catalogue.derive(wanted)}, 201)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        if hub is not None:
            await hub.aclose()

    register, delete = write_handlers(store, serve, lambda request: _pid_of(request, base), _body)
    routes = [
        Route("/health", health_handler(store)),
        *public_routes(store, serve),
        Route("/facets", guarded(facets)),
        Route("/summaries", guarded(summaries)),
        Route("/datasets", guarded(search), methods=["GET"]),
        Route("/datasets", guarded(derive), methods=["POST"]),
        Route("/datasets/{rest:path}", guarded(one), methods=["GET"]),
        Route("/datasets/{rest:path}", guarded(register), methods=["PUT"]),
        Route("/datasets/{rest:path}", guarded(delete), methods=["DELETE"]),
    ]
    return Starlette(
        routes=routes if base == "/" else [Mount(base, routes=routes)],
        exception_handlers={404: _nowhere, 405: _nowhere, 500: _crashed},
        lifespan=lifespan,
    )


async def _nowhere(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = "no such route" if status == 404 else "this route takes no such method"
    return refused(status, message, SEE)


async def _crashed(request: Request, error: Exception) -> Response:
    # The traceback goes to the service's log, not to the user.
    return refused(500, "the catalogue failed", "the service's log says why")


def _pid_of(request: Request, base: str) -> tuple[str, str | None]:
    """PID and the part that is wanted, ``None`` for all, from the path as it was sent.

    A PID may hold ``/``: encoded as ``%2F`` it is one segment, and even one that ends in
    ``/files`` or ``/links`` cannot be mistaken.
    """
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.decode("latin-1").partition("?")[0]
    above = f"{base.rstrip('/')}/datasets/"
    # A proxy may have encoded the prefix in its own way: then what the router found must do.
    rest = path[len(above) :] if path.startswith(above) else quote(request.path_params["rest"])
    segments = rest.split("/")
    part = segments[-1] if len(segments) > 1 and segments[-1] in _PARTS else None
    return unquote("/".join(segments[:-1] if part else segments)), part


async def _body(request: Request) -> bytes:
    """The body, read no further than the limit."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > MAX_BODY:
            raise _TooLargeError
    return bytes(found)


def serve(
    file: Path,
    name: str,
    bind: str | None = None,
    *,
    account_path: str | None = None,
    settings: ServeConfig | None = None,
    public_only: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; ``public_only``: without a hub, to everybody alike.

    Raises:
        BlockedError: starlette or uvicorn is missing, or the hub's variables are, or nothing is
            public.
        UsageError: no address to listen on, or one that is none.
        CatalogueError: the file cannot be used.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise BlockedError(
            "the catalogue cannot be served: uvicorn is not installed",
            hint=install_extra("hub"),
        ) from error
    settings = settings or ServeConfig()
    if public_only and not settings.public:
        raise BlockedError(
            "the catalogue cannot be served: nothing of it is public",
            hint="name the interfaces in nearfield.yaml: catalogue.serve.public: [panosc, oai]",
        )
    api_url = os.environ.get("JUPYTERHUB_API_URL")
    if not api_url and not public_only:
        raise BlockedError(
            "the catalogue cannot be served: JUPYTERHUB_API_URL is not set",
            hint="let JupyterHub start it: see docs/reference/catalogue.md, 'The service'; "
            "or serve what is public without a hub: --public-only",
        )
    host, port = _address(bind or os.environ.get("JUPYTERHUB_SERVICE_URL") or "")
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
    store = CatalogueStore(file, name)
    hub = None
    if api_url and not public_only:
        hub = HubAuthenticator(
            api_url,
            os.environ.get("JUPYTERHUB_API_TOKEN"),
            service_name=os.environ.get("JUPYTERHUB_SERVICE_NAME") or "catalogue",
            account_path=account_path,
            tls=hub_tls(os.environ),
        )
    config = uvicorn.Config(
        make_app(store, hub, prefix, serve=settings),
        host=host,
        port=port,
        http="h11",
        ws="none",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    try:
        asyncio.run(_run(config, f"http://{_shown(host)}:{port}{prefix}", file))
    finally:
        store.close()


async def _run(config: Any, where: str, file: Path) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        """Ends with exit code 0 on SIGTERM; uvicorn's own way is to die of the signal."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[Any] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                print(f"catalogue {file} is served at {where}", file=sys.stderr, flush=True)

    server = Server(config)

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve()


def _address(text: str) -> tuple[str, int]:
    """``http://127.0.0.1:10202`` or ``127.0.0.1:10202`` as host and port."""
    if not text:
        raise UsageError(
            "no address to listen on",
            hint="name one with --bind 127.0.0.1:PORT; JupyterHub sets JUPYTERHUB_SERVICE_URL",
        )
    try:
        parts = urlsplit(text if "//" in text else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{text!r}: not an address: {error}", hint="write HOST:PORT") from error
    if not host or port is None:
        raise UsageError(f"{text!r}: not an address", hint="write HOST:PORT")
    return host, port


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
