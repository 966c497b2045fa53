"""The user's tokens for further sources, which the hub hands to a session or a batch.

They are in this process's memory only, and for as long as they live.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from nearfield.errors import (
    BlockedError,
    CatalogueError,
    CatalogueUnavailableError,
    SourceLoginError,
)
from nearfield.hub_access import HubAccess, hub_tls

LEAST = 30.0
"""A token with less life than this left is asked for anew."""
UNKNOWN = 60.0
"""So long a token is used whose life nobody knows."""
_SECONDS = 15.0


@dataclass(frozen=True)
class _Kept:
    secret: str = field(repr=False)
    until: float


_kept: dict[tuple[str, bytes, str], _Kept] = {}
"""By hub, digest of its token, and catalogue: a notebook opens the catalogue for each search."""


class HubTokens:
    """A :class:`~nearfield.catalogue._tokens.TokenSource` that asks the hub."""

    def __init__(
        self,
        catalogue: str,
        access: HubAccess | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue, self._access = catalogue, access
        self._transport, self._clock = transport, clock
        self._asking: dict[bool, asyncio.Task[str]] = {}
        """By ``fresh``: what is on its way may be the very token that was refused."""

    def __repr__(self) -> str:
        return f"HubTokens({self._catalogue!r})"

    async def token(self, *, fresh: bool = False) -> str:
        """The token to ask with; several who want one wait for the same answer.

        Raises:
            BlockedError: there is no hub to ask, or it has no token for this source.
            SourceLoginError: the user must log in again.
            CatalogueUnavailableError: the hub, or the identity provider, does not answer.
        """
        access = self._access or HubAccess.current()
        key = (access.api_url, hashlib.sha256(access.token.encode()).digest(), self._catalogue)
        known = _kept.get(key)
        if known is not None and not fresh and self._clock() < known.until:
            return known.secret
        asking = self._asking.get(fresh)
        if asking is None or asking.done() or not _of_this_loop(asking):
            asking = asyncio.ensure_future(self._ask(access, key, fresh=fresh))
            self._asking[fresh] = asking
        # One who goes away must not take the answer from the others.
        return await asyncio.shield(asking)

    async def _ask(self, access: HubAccess, key: tuple[str, bytes, str], *, fresh: bool) -> str:
        _kept.pop(key, None)
        name = self._catalogue
        try:
            async with httpx.AsyncClient(
                transport=self._transport, trust_env=False, timeout=_SECONDS, verify=hub_tls()
            ) as client:
                answer = await client.post(
                    f"{access.ours}/catalogue-token",
                    headers=access.headers,
                    json={"catalogue": name, "fresh": fresh},
                )
        except httpx.HTTPError as error:
            raise CatalogueUnavailableError(
                f"{name}: no token: the hub does not answer ({type(error).__name__})",
                hint="try again later",
            ) from None
        try:
            said = answer.json()
            if answer.is_success:
                secret, life = str(said["access_token"]), said["expires_in"]
                lives = UNKNOWN if life is None else max(0.0, float(life) - LEAST)
            else:
                message, hint, reason = str(said["message"]), said["hint"], said.get("reason")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BlockedError(
                f"{name}: no token: the hub answered {answer.status_code} and no token",
                hint="is it a hub with Nearfield of this version?",
            ) from None
        if not answer.is_success:
            raise _refused(name, message, hint, reason)
        _kept[key] = _Kept(secret, self._clock() + lives)
        return secret


def _of_this_loop(task: asyncio.Task[str]) -> bool:
    return task.get_loop() is asyncio.get_running_loop()


def _refused(
    name: str, message: str, hint: str | None, reason: str | None
) -> CatalogueError | BlockedError:
    told = message if message.startswith(f"{name}:") else f"{name}: no token: {message}"
    if reason == "token-expired":
        return SourceLoginError(told, hint=hint)
    if reason == "unavailable":
        return CatalogueUnavailableError(told, hint=hint)
    return BlockedError(told, hint=hint)
