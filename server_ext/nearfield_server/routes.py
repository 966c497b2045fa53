"""Every route of the REST API; docs/reference/server-api.openapi.json is held to this table."""

from __future__ import annotations

from nearfield_server.datasets import (
    CompletionsHandler,
    DatasetHandler,
    FacetsHandler,
    FilesHandler,
    RelatedHandler,
    SearchHandler,
)
from nearfield_server.handler import Handler
from nearfield_server.preview import SliceHandler, ThumbnailHandler, TreeHandler
from nearfield_server.run_routes import PublishHandler, RunHandler, RunsHandler
from nearfield_server.session import SessionDatasetsHandler, SessionHandler
from nearfield_server.templates import TemplatesHandler

PREFIX = "/nearfield/api"
_PATTERNS = {
    # Tornado takes the percents off: a PID may have slashes, its segment has none.
    "{pid}": r"([^/]+)",
    "{run}": r"([0-9a-f]{12})",
}

# As OpenAPI writes paths. The first that fits answers.
ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("/datasets", SearchHandler),
    ("/datasets/facets", FacetsHandler),
    ("/datasets/completions", CompletionsHandler),
    ("/datasets/{pid}", DatasetHandler),
    ("/datasets/{pid}/files", FilesHandler),
    ("/datasets/{pid}/related", RelatedHandler),
    ("/datasets/{pid}/thumbnail", ThumbnailHandler),
    ("/datasets/{pid}/tree", TreeHandler),
    ("/datasets/{pid}/slice", SliceHandler),
    ("/templates", TemplatesHandler),
    ("/session", SessionHandler),
    ("/session/datasets", SessionDatasetsHandler),
    ("/runs", RunsHandler),
    ("/runs/{run}", RunHandler),
    ("/runs/{run}/publish", PublishHandler),
)


def tornado_routes() -> list[tuple[str, type[Handler]]]:
    """The table as tornado takes it, below the server's base URL."""
    found = []
    for path, handler in ROUTES:
        for name, pattern in _PATTERNS.items():
            path = path.replace(name, pattern)  # noqa: PLW2901
        found.append((PREFIX + path, handler))
    return found
