"""Whose token it is, made sure of before it is used.

A SciCat backend takes a token that has expired for no token at all: it refuses nothing with 401,
but answers as it does to strangers, with what is public, or 403. So it is asked who is asking.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from nearfield.catalogue._http import SourceClient, bearer, sendable
from nearfield.catalogue._tokens import TokenSource
from nearfield.datasets import Principal
from nearfield.errors import SourceLoginError, SourceStatusError

SURE = 60.0
"""Seconds that the answer counts."""
_RECORD: TypeAdapter[dict[str, Any] | None] = TypeAdapter(dict[str, Any] | None)


@dataclass(frozen=True)
class Account:
    """Whose token it is, as SciCat says."""

    principal: Principal
    email: str


class SureTokens:
    """Another source's tokens, each looked at before it is used, and again every minute."""

    def __init__(
        self,
        client: SourceClient,
        source: TokenSource,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``client`` asks without a token of its own."""
        self._client, self._source, self._clock = client, source, clock
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._until = 0.0
        self._account: Account | None = None

    def __repr__(self) -> str:
        return f"SureTokens({self._client.name!r})"

    async def token(self, *, fresh: bool = False) -> str | None:
        async with self._lock:
            token = await self._source.token(fresh=fresh)
            if token is None:
                raise self._over()
            if not fresh and token == self._token and self._clock() < self._until:
                return token
            if await self._holds(token):
                return token
            newer = None if fresh else await self._source.token(fresh=True)
            if newer is None or newer == token or not await self._holds(newer):
                self._token = None
                raise self._over()
            return newer

    async def account(self) -> Account:
        """Whose token it is.

        Raises:
            SourceLoginError: nobody's, any more.
        """
        await self.token()
        if self._account is None:
            raise self._over()
        return self._account

    def doubt(self) -> None:
        """Something was refused: look again before the next use."""
        self._until = 0.0

    async def aclose(self) -> None:
        """Release connections."""
        await self._client.aclose()

    def _over(self) -> SourceLoginError:
        return SourceLoginError(
            f"{self._client.name}: the log-in has expired or is not accepted", hint="log in again"
        )

    async def _holds(self, token: str) -> bool:
        said = await self._ask("/api/v3/auth/whoami", token)
        name = said.get("username")
        if not isinstance(name, str) or not name:
            return False
        groups = said.get("currentGroups")
        if not isinstance(groups, list):
            profile = (await self._ask("/api/v3/users/my/identity", token)).get("profile")
            groups = profile.get("accessGroups") if isinstance(profile, dict) else None
        known = frozenset(g for g in groups or () if isinstance(g, str) and g)
        email = said.get("email")
        self._account = Account(
            Principal(name=name, groups=known), email if isinstance(email, str) else ""
        )
        self._token, self._until = token, self._clock() + SURE
        return True

    async def _ask(self, path: str, token: str) -> dict[str, Any]:
        said_as = bearer(sendable(self._client.name, token))
        try:
            said = await self._client.json(
                "GET", path, headers=said_as.headers, anonymous=True, adapter=_RECORD
            )
        except SourceStatusError as error:
            if error.status in (401, 403):
                return {}
            raise
        return said or {}
