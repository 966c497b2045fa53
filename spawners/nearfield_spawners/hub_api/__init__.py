"""The JSON API behind the spawn page: ``/hub/api/nearfield/…`` (docs/reference/hub-api.md).

Importing this registers the routes.
"""

from __future__ import annotations

from jupyterhub.apihandlers import default_handlers

from nearfield_spawners.hub_api.account import AccountHandler
from nearfield_spawners.hub_api.choices import ChoicesHandler
from nearfield_spawners.hub_api.clusters import AvailabilityHandler
from nearfield_spawners.hub_api.datasets import DatasetsHandler
from nearfield_spawners.hub_api.planning import PlanHandler
from nearfield_spawners.hub_api.sessions import SessionsHandler
from nearfield_spawners.hub_api.tokens import BatchTokenHandler, CatalogueTokenHandler

ROUTES = [
    ("/api/nearfield/account", AccountHandler),
    ("/api/nearfield/choices", ChoicesHandler),
    ("/api/nearfield/datasets", DatasetsHandler),
    ("/api/nearfield/availability", AvailabilityHandler),
    ("/api/nearfield/plan", PlanHandler),
    ("/api/nearfield/sessions", SessionsHandler),
]
# Apart from those of the page: no browser is answered.
TOKEN_ROUTES = [
    ("/nearfield/api/catalogue-token", CatalogueTokenHandler),
    ("/nearfield/api/batch-token", BatchTokenHandler),
]
default_handlers.extend(ROUTES + TOKEN_ROUTES)

__all__ = [
    "ROUTES",
    "TOKEN_ROUTES",
    "AccountHandler",
    "AvailabilityHandler",
    "BatchTokenHandler",
    "CatalogueTokenHandler",
    "ChoicesHandler",
    "DatasetsHandler",
    "PlanHandler",
    "SessionsHandler",
]
