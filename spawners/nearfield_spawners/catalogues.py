"""All configured catalogues with the rights of one user, for the hub's own pages.

The home is the shared service, asked with the hub's own token of the user's; further sources get
what the identity provider gave, which does not leave the hub's process.
"""

from __future__ import annotations

from typing import Any

from nearfield.catalogue import (
    Catalogue,
    FederatedCatalogue,
    ServiceCatalogue,
    only,
    open_catalogue,
)
from nearfield.catalogue._drivers import TokensOf
from nearfield.catalogue._tokens import TokenSource
from nearfield.config import Config, Source
from nearfield.datasets import Dataset, DatasetFiles, links_of
from nearfield.errors import BlockedError, UsageError
from nearfield.querying.pids import is_unique
from nearfield_spawners.provider_tokens import UserTokens


class NoFileToken:
    """A user's own token file is in the user's home: the hub has no business there."""

    def __init__(self, source: str) -> None:
        self._source = source

    async def token(self, *, fresh: bool = False) -> str | None:
        """Raises BlockedError."""
        raise BlockedError(
            f"{self._source}: not searched from here",
            hint="its token is a file of your own: search it in a session",
        )


def tokens_of(user: Any, config: Config) -> TokensOf:
    """The token sources of a hub's user."""

    def source(name: str, settings: Source) -> TokenSource | None:
        if settings.token == "hub":  # noqa: S105
            return UserTokens(user, config, name)
        return NoFileToken(name) if settings.token == "file" else None  # noqa: S105

    return source


def foreign(spawner: Any) -> dict[str, Any]:
    """What :func:`find_datasets` is told besides, where this hub has further sources."""
    config = spawner.live.config
    return {"tokens": tokens_of(spawner.user, config)} if config.catalogues else {}


def home_of(config: Config, token: str) -> ServiceCatalogue:
    """The home with the rights of the token's owner, through the shared service.

    Raises:
        BlockedError: this hub has none.
    """
    if not config.catalogue.url:
        raise BlockedError(
            "datasets cannot be chosen here: this hub has no catalogue service",
            hint="set catalogue.url in nearfield.yaml",
        )
    return ServiceCatalogue(config.catalogue.url, token, name=config.catalogue.name)


def all_of(config: Config, home: Catalogue, tokens: TokensOf) -> FederatedCatalogue:
    """The home and all further sources; closing it closes them all."""
    found = open_catalogue(config, tokens=tokens, home=home)
    if not isinstance(found, FederatedCatalogue):
        raise BlockedError("this hub has one catalogue only")
    return found


def why_not(dataset: Dataset, home: str) -> str | None:
    """Why a dataset that was found cannot be chosen for a session; ``None`` where it can."""
    if dataset.source in (None, home):
        return None  # placement and rights have their own words for these
    if dataset.storage is None:
        return "It lies on no storage of this site."
    if not is_unique(dataset.pid):
        return f"Its PID is a number of {dataset.source} alone: open it in a session."
    return None


async def foreign_links(catalogue: FederatedCatalogue, pid: str) -> DatasetFiles:
    """What of another source's dataset a session links; it lies on a storage of this site.

    Raises:
        UsageError: it cannot be chosen here.
        DatasetNotFoundError, DatasetNotPermittedError: as its source says.
    """
    dataset = await catalogue.get(pid)
    if reason := why_not(dataset, catalogue.sources[0].name):
        raise UsageError(f"dataset {pid} cannot be chosen: {reason}")
    files = await only(catalogue, dataset.source).files(dataset.pid)
    return links_of(dataset.model_copy(update={"files": files}))
