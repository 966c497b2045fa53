"""A real Jupyter server with the extension, on a Unix socket: unit tests have no network."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from jupyter_server.serverapp import ServerApp

from nearfield.catalogue import CatalogueStore, SqliteCatalogue
from nearfield.config import parse_config
from nearfield.datasets import Principal
from nearfield_server.access import CatalogueAccess
from nearfield_server.extension import NearfieldExtension
from nearfield_server.openapi import document

TOKEN = "the-servers-own-token"
ALICE = Principal(name="alice", groups=frozenset({"alice", "beam7"}))


@dataclass
class Server:
    """The server, and what a face of it sees."""

    app: Any
    client: httpx.AsyncClient
    store: CatalogueStore
    told: list[dict[str, Any]] = field(default_factory=list)
    user: Principal = ALICE

    @property
    def settings(self) -> Any:
        return self.app.web_app.settings

    def catalogue(self, _config: Any = None) -> SqliteCatalogue:
        """The embedded catalogue, seen by ``user``."""
        return SqliteCatalogue(self.store, self.user)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """The answer, which is as the OpenAPI document says."""
        return described(await self.client.get(f"/nearfield/api/{path}", **options))

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """The answer, which is as the OpenAPI document says."""
        return described(await self.client.post(f"/nearfield/api/{path}", **options))

    def use(self, catalogue: Any, yaml: str | None = None) -> None:
        """Answer from another catalogue, or by another configuration."""
        self.settings["nearfield_access"] = CatalogueAccess(
            lambda: parse_config(yaml or "sessions: {}"), lambda _config: catalogue
        )


@functools.cache
def _document() -> dict[str, Any]:
    return document()


def described(answer: httpx.Response) -> httpx.Response:
    """Fails unless the OpenAPI document knows the route, and its schema fits the answer."""
    path = answer.request.url.raw_path.decode().partition("?")[0]
    path = path.removeprefix("/nearfield/api")
    # As tornado: the first that fits.
    known = next(
        p for p in _document()["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", p), path)
    )
    operation = _document()["paths"][known][answer.request.method.lower()]
    told = operation["responses"].get(str(answer.status_code), operation["responses"]["default"])
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in told["content"], (known, answer.status_code, media)
    if media == "application/json":
        schema = told["content"][media]["schema"]
        whole = {**schema, "components": _document()["components"]}
        Draft202012Validator(whole).validate(answer.json())
    return answer


def started(tmp_path: Path) -> Any:
    """A server with nothing but the extension; the caller stops it."""
    app = ServerApp(
        sock=str(tmp_path / "socket"),
        root_dir=str(tmp_path),
        open_browser=False,
        ip="127.0.0.1",  # not asked of this machine, nor listened at
        allow_remote_access=True,
        log_level=logging.CRITICAL,
    )
    app.initialize(argv=[], find_extensions=False)
    app.identity_provider.token = TOKEN
    extension = NearfieldExtension()
    extension._link_jupyter_server_extension(app)
    extension.initialize()
    app.http_server.start()
    return app


@pytest.fixture
async def bare_server(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Callable[[Path], Awaitable[httpx.AsyncClient]]]:
    """Starts a server in a folder and gives a client of it, who has its token."""
    apps: list[Any] = []
    clients: list[httpx.AsyncClient] = []

    async def start(folder: Path) -> httpx.AsyncClient:
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            monkeypatch.setenv(name, str(folder / name))
        apps.append(started(folder))
        clients.append(
            httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(uds=str(folder / "socket")),
                base_url="http://localhost",
                headers={"Authorization": f"token {TOKEN}"},
                timeout=30,
            )
        )
        clients[-1].app = apps[-1]  # type: ignore[attr-defined]
        return clients[-1]

    yield start
    for client in clients:
        await client.aclose()
    for app in apps:
        if looker := app.web_app.settings.get("nearfield_looker"):
            await looker.aclose()
        await app.http_server.close_all_connections()
        app.http_server.stop()


@pytest.fixture
async def server(tmp_path: Path, bare_server: Any) -> AsyncIterator[Server]:
    """With an embedded catalogue that has nothing yet."""
    client = await bare_server(tmp_path)
    app = client.app
    store = CatalogueStore(tmp_path / "catalogue.sqlite", "lab")
    made = Server(app, client, store)
    made.use(SqliteCatalogue(store, ALICE))

    async def hear(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        made.told.append({"event": schema_id.rpartition("/")[2], **data})

    for schema in app.event_logger.schemas.schema_ids:
        if "nearfield" in schema:
            app.event_logger.add_listener(schema_id=schema, listener=hear)
    yield made
    store.close()
