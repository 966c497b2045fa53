"""The catalogue that the configuration names."""

from __future__ import annotations

import os
from pathlib import Path

from nearfield.catalogue._posix import current_account
from nearfield.catalogue._protocol import Catalogue
from nearfield.catalogue.remote import ServiceCatalogue
from nearfield.catalogue.sqlite import SqliteCatalogue
from nearfield.config import Config
from nearfield.errors import BlockedError


def open_catalogue(config: Config, *, file: Path | None = None, create: bool = False) -> Catalogue:
    """The configured catalogue, or the embedded one in ``file``, with the caller's rights.

    An embedded file belongs to one user, who sees all of it. A service is asked with the token
    in ``$JUPYTERHUB_API_TOKEN``. In a session ``$NEARFIELD_CATALOGUE_URL`` names the hub's
    service, whatever the configuration of the node or image says.

    Raises:
        BlockedError: a service is configured and there is no token.
        CatalogueError: the embedded file is not there (without ``create``) or cannot be used.
    """
    settings = config.catalogue
    told = os.environ.get("NEARFIELD_CATALOGUE_URL")
    url = told or (settings.url if settings.driver == "service" else None)
    if file is None and url:
        token = os.environ.get("JUPYTERHUB_API_TOKEN")
        if not token:
            raise BlockedError(
                f"catalogue {url}: there is no token to ask with",
                hint="set JUPYTERHUB_API_TOKEN (sessions have it; elsewhere make one in the hub, "
                "under Token), or name a file with --catalogue",
            )
        return ServiceCatalogue(url, token, name=settings.name)
    return SqliteCatalogue.open(
        file or settings.file, settings.name, current_account(), create=create
    )
