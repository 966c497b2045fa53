"""From ``catalogues:`` in nearfield.yaml to the drivers, each imported when it is wanted."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from nearfield.catalogue._asking import FederatedSource
from nearfield.catalogue._file_tokens import FileToken
from nearfield.catalogue._tokens import TokenSource
from nearfield.config import Source
from nearfield.errors import BlockedError, NearfieldError
from nearfield.extras import install_extra

TokensOf = Callable[[str, Source], TokenSource | None]
"""Gives the token source for a catalogue of this name."""

# Driver: module, class, extra of the package that it needs, if any.
_DRIVERS: Mapping[str, tuple[str, str, str | None]] = {
    "scicat": ("nearfield.catalogue.scicat", "SciCatCatalogue", None),
    "panosc": ("nearfield.catalogue.panosc", "PanoscCatalogue", None),
    "icat": ("nearfield.catalogue.icat", "IcatCatalogue", None),
    "invenio": ("nearfield.catalogue.invenio", "InvenioCatalogue", None),
    "service": ("nearfield.catalogue.remote", "ServiceCatalogue", None),
}


def open_sources(
    sources: Mapping[str, Source], tokens: TokensOf | None = None
) -> list[FederatedSource]:
    """Every configured source. One that cannot be asked here says why, and stops no other."""
    return [_open(name, settings, tokens or own_tokens) for name, settings in sources.items()]


def own_tokens(name: str, settings: Source) -> TokenSource | None:
    """The tokens of the user that this process runs as."""
    if settings.token == "file":  # noqa: S105
        return FileToken(name)
    if settings.token == "hub":  # noqa: S105
        from nearfield.catalogue._hub_tokens import HubTokens

        return HubTokens(name)
    return None


def _open(name: str, settings: Source, tokens: TokensOf) -> FederatedSource:
    try:
        driver: Any = _driver(name, settings.driver)
        catalogue = driver.from_settings(name, settings, token=tokens(name, settings))
    except NearfieldError as error:
        return FederatedSource(name, None, settings.timeout, error)
    except Exception as error:  # one bad driver keeps nobody from the other catalogues
        problem = BlockedError(f"{name}: cannot be opened: {type(error).__name__}")
        return FederatedSource(name, None, settings.timeout, problem)
    return FederatedSource(name, catalogue, settings.timeout)


def _driver(name: str, driver: str) -> Any:
    module, kind, extra = _DRIVERS[driver]
    try:
        return getattr(importlib.import_module(module), kind)
    except ImportError as error:
        needs = install_extra(extra) if extra else "install it anew"
        raise BlockedError(
            f"{name}: the driver {driver!r} cannot be loaded: {error.name or error} is missing",
            hint=needs,
        ) from error
