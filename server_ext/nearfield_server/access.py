"""The configured catalogue, opened when first asked for and used for every request after that.

Opening loads certificates, reads the configuration and makes connections: that is done once. What
was opened is left, and opened anew, when its token is not taken any more or the configuration
has changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nearfield.errors import BlockedError, ConfigError, SourceLoginError

if TYPE_CHECKING:
    from nearfield.catalogue import Catalogue
    from nearfield.config import Config
    from nearfield.querying import Facets, Query


COUNTS_SECONDS = 60.0
"""So long the counts that completions are made of may be old: they are asked for at each key."""


class _Counted:
    """A catalogue's counts of everything it has, asked for once a minute."""

    def __init__(self, catalogue: Catalogue, clock: Callable[[], float]) -> None:
        self.name = catalogue.name
        self._catalogue, self._clock = catalogue, clock
        self._until = 0.0
        self._found: Facets | None = None
        self._lock = asyncio.Lock()

    async def facets(self, query: Query) -> Facets:
        """As the catalogue's own; what fails is not remembered."""
        async with self._lock:
            if self._found is None or self._clock() >= self._until:
                self._found = await self._catalogue.facets(query)
                self._until = self._clock() + COUNTS_SECONDS
            return self._found


@dataclass
class _Opened:
    catalogue: Catalogue
    counted: _Counted
    stamp: object
    users: int = 0
    left: bool = False


class CatalogueAccess:
    """One catalogue for all requests of a server, with the rights of the session's user."""

    def __init__(
        self,
        config: Callable[[], Config] | None = None,
        opening: Callable[[Config], Catalogue] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._config = config or _load
        self._opening = opening or _open
        self._opened: _Opened | None = None
        self._lock = asyncio.Lock()

    async def config(self) -> Config:
        """The configuration of this session.

        Raises:
            BlockedError: the file cannot be used; that is not for who asks to mend.
        """
        try:
            return await asyncio.to_thread(self._config)
        except ConfigError as error:
            raise BlockedError(
                f"the configuration cannot be used: {error.message}",
                hint=error.hint or "tell the administrators of this hub",
            ) from error

    @asynccontextmanager
    async def catalogue(self) -> AsyncIterator[Catalogue]:
        """The catalogue, for one request.

        Raises:
            BlockedError: something that it needs is missing, and what.
        """
        async with self._held() as opened:
            yield opened.catalogue

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[Catalogue]:
        """As :meth:`catalogue`, for its counts alone, which may be a minute old."""
        async with self._held() as opened:
            yield cast("Catalogue", opened.counted)

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[_Opened]:
        opened = await self._get()
        opened.users += 1
        try:
            yield opened
        except SourceLoginError:
            self._leave(opened)
            raise
        finally:
            opened.users -= 1
            await self._close_if_left(opened)

    async def aclose(self) -> None:
        """Release connections."""
        if (opened := self._opened) is not None:
            self._leave(opened)
            await self._close_if_left(opened)

    async def _get(self) -> _Opened:
        async with self._lock:
            stamp = await asyncio.to_thread(_stamp)
            if self._opened is not None and self._opened.stamp != stamp:
                old = self._opened
                self._leave(old)
                await self._close_if_left(old)
            if self._opened is None:
                config = await self.config()
                catalogue = await asyncio.to_thread(self._try, config)
                self._opened = _Opened(catalogue, _Counted(catalogue, self._clock), stamp)
            return self._opened

    def _try(self, config: Config) -> Catalogue:
        try:
            return self._opening(config)
        except ImportError as error:
            raise BlockedError(
                f"the catalogue cannot be opened here: {error}",
                hint="install it into the environment that the server runs in",
            ) from error

    def _leave(self, opened: _Opened) -> None:
        opened.left = True
        if self._opened is opened:
            self._opened = None

    async def _close_if_left(self, opened: _Opened) -> None:
        if opened.left and opened.users == 0:
            await opened.catalogue.aclose()


def _load() -> Config:
    from nearfield.config import load_config

    return load_config()


def _open(config: Config) -> Catalogue:
    from nearfield.catalogue import open_catalogue

    return open_catalogue(config)


def _stamp() -> Any:
    """Another one when nearfield.yaml has changed."""
    from nearfield.config import find_config

    try:
        file = find_config(None)
        if file is None:
            return None
        found = Path(file).stat()
    except (OSError, ConfigError):
        return None
    return file, found.st_mtime_ns, found.st_ino, found.st_size
