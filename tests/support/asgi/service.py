"""The catalogue service and the hub that it asks, as real servers with the suite's people."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asgi import serving
from nearfield.catalogue import CatalogueStore
from nearfield.catalogue._hub_auth import HubAuthenticator
from nearfield.catalogue.service import make_app
from nearfield.testing.catalogue_contract import ADMIN, ALICE, BOB, STRANGER


@contextlib.asynccontextmanager
async def running(store: CatalogueStore) -> AsyncIterator[str]:
    """The service below an awkward prefix, and the hub that it asks."""
    prefix = "/services/datasets/"
    async with serving(fake_hub()) as hub:
        asker = HubAuthenticator(f"{hub}/hub/api", groups_of=lambda name: frozenset())
        async with serving(make_app(store, asker, prefix)) as service:
            yield service + prefix


def fake_hub() -> Starlette:
    """``GET /hub/api/user`` as JupyterHub 5 answers it."""
    users = {f"token-of-{user.name}": user for user in (ALICE, BOB, ADMIN, STRANGER)}

    async def user(request: Request) -> Response:
        token = request.headers.get("authorization", "").partition(" ")[2]
        found = users.get(token)
        if found is None:
            return JSONResponse({"status": 403, "message": "Forbidden"}, 403)
        return JSONResponse(
            {
                "name": found.name,
                "kind": "user",
                "groups": sorted(found.groups),
                "admin": found.admin,
                "scopes": ["access:servers!user", "access:services!service=catalogue"],
            }
        )

    return Starlette(routes=[Route("/hub/api/user", user)])
