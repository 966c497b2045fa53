"""ICAT's sessions: a log-in gives an id that every request carries, until it expires.

ICAT takes the id as a parameter of the URL. It is in no message of ours, and the line that httpx
writes for every request has it left out.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

from nearfield.catalogue._http import Credentials, SourceClient, segment
from nearfield.catalogue._tokens import TokenSource
from nearfield.errors import CatalogueError, SourceLoginError, SourceStatusError

_ID = re.compile(r"[0-9A-Za-z-]{8,80}")
_IN_URL = re.compile(r"(sessionId=|/session/)[^&\s/?#]+")


def in_url(session: str) -> Credentials:
    """For all that reads."""
    return Credentials(params={"sessionId": session})


def in_form(session: str) -> Credentials:
    """For all that writes."""
    return Credentials(form={"sessionId": session})


def expired(status: int, said: Any) -> bool:
    """ICAT says 403 for an expired session and for missing rights; its code tells which."""
    return status == 403 and isinstance(said, dict) and said.get("code") == "SESSION"


class IcatSession:
    """A ``TokenSource`` whose tokens are ICAT's session ids.

    ``secret`` gives what the authenticator wants: a token of the identity provider, or, with a
    ``username``, a password. Without one the authenticator is asked for an anonymous session.
    """

    def __init__(
        self,
        client: SourceClient,
        authenticator: str,
        username: str | None = None,
        secret: TokenSource | None = None,
    ) -> None:
        self._client, self._authenticator = client, authenticator
        self._username, self._secret = username, secret
        self._id: str | None = None
        self._entering = asyncio.Lock()
        _hide_in_logs()

    def __repr__(self) -> str:
        return f"IcatSession({self._client.name!r}, {self._authenticator!r})"

    async def token(self, *, fresh: bool = False) -> str:
        """The id of a session that has not been refused yet."""
        stale = self._id if fresh else None
        async with self._entering:
            if self._id is None or self._id == stale:
                self._id = await self._enter()
            return self._id

    async def aclose(self) -> None:
        """Log out; a session that cannot be ended expires by itself."""
        known, self._id = self._id, None
        if known is not None:
            try:
                await self._client.ask("DELETE", f"icat/session/{segment(known)}", anonymous=True)
            except CatalogueError:
                return

    async def _enter(self) -> str:
        secret = await self._secret.token() if self._secret is not None else None
        try:
            return await self._log_in(secret)
        except SourceLoginError:
            fresh = await self._secret.token(fresh=True) if self._secret is not None else None
            if fresh is None or fresh == secret:
                raise
            return await self._log_in(fresh)

    async def _log_in(self, secret: str | None) -> str:
        credentials: list[dict[str, str]] = []
        if self._username is not None:
            credentials = [{"username": self._username}, {"password": secret or ""}]
        elif secret is not None:
            credentials = [{"token": secret}]
        wanted = {"plugin": self._authenticator, "credentials": credentials}
        try:
            # Made twice, it is two sessions, of which one is forgotten: harmless.
            said = await self._client.json(
                "POST",
                "icat/session",
                form={"json": json.dumps(wanted)},
                anonymous=True,
                idempotent=True,
            )
        except SourceStatusError as error:
            # Not from `error`: what a server says of a log-in may repeat what was sent.
            raise SourceLoginError(
                f"{self._client.name}: the authenticator {self._authenticator!r} refuses the "
                f"log-in ({error.status})",
                hint="log in again; check 'authenticator' and 'username' in its settings",
            ) from None
        except CatalogueError as error:
            # It may repeat it while it fails, too.
            if secret:
                error.message = error.message.replace(secret, "…")
                error.args = (error.message,)
            raise
        found = said.get("sessionId") if isinstance(said, dict) else None
        if not isinstance(found, str) or not _ID.fullmatch(found):
            raise CatalogueError(
                f"{self._client.name}: a log-in without a session id",
                hint="check its url: it is what comes before /icat/session",
            )
        return found


class _WithoutSessions(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and record.args:
            record.args = tuple(
                _IN_URL.sub(r"\1…", str(part)) if _IN_URL.search(str(part)) else part
                for part in record.args
            )
        return True


_FILTER = _WithoutSessions()


def _hide_in_logs() -> None:
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).addFilter(_FILTER)
