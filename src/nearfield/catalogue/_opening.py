"""The catalogues that the configuration names."""

from __future__ import annotations

import os
from pathlib import Path

from nearfield.catalogue._asking import FederatedSource
from nearfield.catalogue._drivers import TokensOf, open_sources
from nearfield.catalogue._posix import current_account
from nearfield.catalogue._protocol import Catalogue
from nearfield.catalogue.federated import FederatedCatalogue
from nearfield.catalogue.remote import ServiceCatalogue
from nearfield.catalogue.sqlite import SqliteCatalogue
from nearfield.config import Config
from nearfield.errors import BlockedError, NearfieldError
from nearfield.hub_access import TOKEN_FILE, HubAccess


def open_catalogue(
    config: Config,
    *,
    file: Path | None = None,
    create: bool = False,
    tokens: TokensOf | None = None,
    home: Catalogue | None = None,
) -> Catalogue:
    """The configured catalogues as one, or the embedded one in ``file``, with the caller's rights.

    Without ``catalogues:`` it is the home (``catalogue:``) alone. With them it is a
    :class:`FederatedCatalogue`, and whatever keeps one of them from being asked is told as its
    state by a search.

    Args:
        config: The configuration.
        file: An embedded catalogue, instead of all that is configured.
        create: Make the embedded file where there is none.
        tokens: Where the tokens for further sources come from; the user's own without it.
        home: The home, where the caller has opened it already; it is closed with the others.

    Raises:
        BlockedError: a service is configured alone, and there is no token.
        CatalogueError: the embedded file alone is not there (without ``create``) or cannot be used.
    """
    if file is not None or not config.catalogues:
        return home or open_home(config, file=file, create=create)
    sources = open_sources(config.catalogues, tokens)
    return FederatedCatalogue([_home(config, home, create=create), *sources], site=config)


def open_home(config: Config, *, file: Path | None = None, create: bool = False) -> Catalogue:
    """``catalogue:`` alone, or the embedded one in ``file``.

    An embedded file belongs to one user, who sees all of it. A service is asked with the token
    in ``$JUPYTERHUB_API_TOKEN``, or a batch's own. In a session ``$NEARFIELD_CATALOGUE_URL`` names
    the hub's service, whatever the configuration of the node or image says.

    Raises:
        BlockedError: a service is configured and there is no token, or a batch's token file
            cannot be used.
        CatalogueError: the embedded file is not there (without ``create``) or cannot be used.
    """
    settings = config.catalogue
    batch = HubAccess.current() if os.environ.get(TOKEN_FILE) else None
    told = (batch and batch.catalogue_url) or os.environ.get("NEARFIELD_CATALOGUE_URL")
    url = told or (settings.url if settings.driver == "service" else None)
    if file is None and url:
        token = batch.token if batch else os.environ.get("JUPYTERHUB_API_TOKEN")
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


def _home(config: Config, home: Catalogue | None, *, create: bool) -> FederatedSource:
    name, seconds = config.catalogue.name, config.catalogue.timeout
    try:
        return FederatedSource(name, home or open_home(config, create=create), seconds)
    except NearfieldError as error:
        return FederatedSource(name, None, seconds, error)
