"""Where a driver gets the token that it asks its source with."""

from __future__ import annotations

from typing import Protocol


class TokenSource(Protocol):
    """Gives the asking user's token for one source; who holds and refreshes it is its affair."""

    async def token(self, *, fresh: bool = False) -> str | None:
        """The token to ask with; ``None`` asks as nobody, for public data.

        ``fresh``: the one given last was refused, a new one is wanted. Raises CatalogueError,
        with what to do, where a token is needed and cannot be had.
        """
        ...
