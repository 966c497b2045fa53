"""Access tokens for catalogues, from what the identity provider gave at the login.

The hub alone holds the provider's tokens (auth_state, encrypted in its database). Nothing but a
short-lived access token leaves it, for one catalogue and its own user. What the authenticator knows
of the provider (address, client, secret) is used as it is: OAuthenticator makes the requests.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tornado.httpclient import HTTPClientError

from nearfield.config import Config
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    SourceLoginError,
    UnknownNameError,
)

LEAST = 60.0
"""A token with less life than this left is renewed before it is handed out."""
AGAIN = 10.0
"""Seconds in which ``fresh`` gives the same token: many readers may find one refused at once."""
PATIENCE = 10.0
"""Seconds for one answer of the provider."""
PAUSE = 5.0
"""Seconds in which a provider that did not answer is not asked again for the same user."""
MAX_KEPT = 10_000
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name of RFC 8693
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - the same
_TOKENS = ("access_token", "refresh_token", "id_token")
_LOGIN_ENDED = frozenset({"invalid_grant", "invalid_token"})
_LOG_IN = "log out of the hub and log in again"


@dataclass(frozen=True)
class AccessToken:
    """A token to ask one catalogue with. Its words are in no representation."""

    secret: str = field(repr=False)
    ends: float | None
    """Unix time; None where the provider does not say."""
    made: float

    def lives(self, now: float) -> bool:
        """Has it life enough to be handed out?"""
        return self.ends is not None and self.ends - now >= LEAST


@dataclass
class _Kept:
    """What the hub's process remembers of one user: nothing that it could not ask for again."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ends: dict[bytes, tuple[float | None, float]] = field(default_factory=dict)
    """By digest of the login's access token: its end, and when the hub got it."""
    exchanged: dict[tuple[str, str, str], tuple[bytes, AccessToken]] = field(default_factory=dict)
    """By catalogue, audience and kind, for a name may come to mean another server; with the digest
    of the login that it was made from, for a database may give a new user the number of one who is
    gone."""
    silent: tuple[float, str] = (0.0, "")
    """Until when the provider is taken to be silent, and why: nobody waits for it meanwhile."""


class ProviderTokens:
    """The tokens of one hub's users."""

    def __init__(self, clock: Any = time.time) -> None:
        self._clock = clock
        self._kept: dict[int, _Kept] = {}

    async def token(
        self, user: Any, config: Config, catalogue: str, *, fresh: bool = False
    ) -> AccessToken:
        """A token of ``user`` for a catalogue of ``config``; one request at a time for each user.

        Raises:
            UnknownNameError: no such catalogue, or it takes no token of the hub.
            BlockedError: this hub's login gives no tokens, or none for that catalogue.
            SourceLoginError: the provider takes the login no longer.
            CatalogueUnavailableError: the provider does not answer.
        """
        takers = {n: s for n, s in config.catalogues.items() if s.token == "hub"}  # noqa: S105
        if catalogue not in takers:
            raise UnknownNameError("catalogue with a token of the hub", catalogue, takers)
        source = takers[catalogue]
        if len(self._kept) > MAX_KEPT:
            self._kept.clear()
        kept = self._kept.setdefault(user.id, _Kept())
        async with kept.lock:
            login = _Login(catalogue, user, kept, self._clock, source.token_kind)
            if source.audience is None:
                if not source.login_token:
                    raise BlockedError(
                        f"{catalogue}: which token it takes is not said",
                        hint=f"catalogues.{catalogue}: set audience, or login_token: true",
                    )
                return await login.own(fresh=fresh)
            try:
                return await login.exchanged(source.audience, fresh=fresh)
            except _NoExchangeError:
                if source.login_token:
                    return await login.own(fresh=fresh)
                raise BlockedError(
                    f"{catalogue}: the identity provider makes no token for {source.audience!r}",
                    hint="allow this hub's client token exchange to that audience at the provider",
                ) from None

    def forget(self, user: Any) -> None:
        """Forget what is remembered of a user."""
        self._kept.pop(user.id, None)


class _NoExchangeError(Exception):
    """The provider does not know token exchange, or not for this client and audience."""


class _RefusedError(Exception):
    """The provider's no, with its word for it."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass
class _Login:
    """What one login gave, for one catalogue."""

    catalogue: str
    user: Any
    kept: _Kept
    clock: Any
    kind: Literal["access", "id"] = "access"

    async def own(self, *, fresh: bool) -> AccessToken:
        """The login's own token, of the kind that the source wants."""
        access = await self.token(fresh=fresh)
        if self.kind == "access":
            return access
        found = self._id_token(await self._state())
        if not found.lives(self.clock()):
            # It may end before the access token does.
            await self.token(fresh=True)
            found = self._id_token(await self._state())
        if found.ends is not None and found.ends <= self.clock():
            raise self._log_in()
        return found

    def _id_token(self, state: Mapping[str, Any]) -> AccessToken:
        secret = state.get("id_token")
        if not isinstance(secret, str):
            raise BlockedError(
                f"{self.catalogue}: the identity provider gives this hub no ID token",
                hint="the scope openid must be among those of the login",
            )
        return AccessToken(secret, _end_said(secret), 0.0)

    async def token(self, *, fresh: bool) -> AccessToken:
        """The login's own access token, refreshed where it is about to end or was refused."""
        state = await self._state()
        now = self.clock()
        known = self._known(state["access_token"])
        if fresh and now - known.made < AGAIN:
            return known
        if not fresh and known.lives(now):
            return known
        if not state.get("refresh_token"):
            return self._without_refresh(known, now, fresh=fresh)
        return await self._refreshed(state)

    async def exchanged(self, audience: str, *, fresh: bool) -> AccessToken:
        """A token that the provider makes for this audience alone (RFC 8693)."""
        now = self.clock()
        key = (self.catalogue, audience, self.kind)
        login, known = self.kept.exchanged.get(key, (b"", None))
        if (
            known is not None
            and login == _login_of(await self._state())
            and (now - known.made < AGAIN if fresh else known.lives(now))
        ):
            return known
        try:
            said = await self._exchange(audience, fresh=False)
        except _RefusedError:
            # It may have been revoked before its end: what a newer one gives is the answer.
            said = await self._exchange_with_newer(audience)
        made = _made(said, self.clock())
        self.kept.exchanged[key] = (_login_of(await self._state()), made)
        return made

    async def _exchange_with_newer(self, audience: str) -> dict[str, Any]:
        try:
            return await self._exchange(audience, fresh=True)
        except _RefusedError as refused:
            if refused.word in _LOGIN_ENDED:
                raise self._log_in() from None
            raise _NoExchangeError from None

    async def _exchange(self, audience: str, *, fresh: bool) -> dict[str, Any]:
        subject = await self.token(fresh=fresh)
        asked = {
            "grant_type": EXCHANGE,
            "subject_token": subject.secret,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN if self.kind == "access" else ID_TOKEN,
            "audience": audience,
        }
        try:
            return await self._ask(asked)
        except _RefusedError as refused:
            if refused.word in _LOGIN_ENDED:
                raise
            raise _NoExchangeError from None

    async def _state(self) -> dict[str, Any]:
        state = await self.user.get_auth_state()
        if not isinstance(state, Mapping) or not isinstance(state.get("access_token"), str):
            if not hasattr(self.user.authenticator, "build_refresh_token_request_params"):
                raise BlockedError(
                    f"{self.catalogue}: the login of this hub gives no tokens",
                    hint="it takes OpenID Connect and enable_auth_state (docs/how-to/login.md)",
                )
            raise self._log_in()
        return dict(state)

    def _known(self, secret: str) -> AccessToken:
        ends, made = self.kept.ends.get(_digest(secret), (_end_said(secret), 0.0))
        return AccessToken(secret, ends, made)

    def _without_refresh(self, known: AccessToken, now: float, *, fresh: bool) -> AccessToken:
        # It was refused, or has ended, and nothing can renew it. One whose end nobody knows is
        # handed out: its source will say.
        if fresh or (known.ends is not None and known.ends <= now):
            raise self._log_in()
        return known

    async def _refreshed(self, state: dict[str, Any]) -> AccessToken:
        authenticator = self.user.authenticator
        refresh = state["refresh_token"]
        try:
            said = await self._ask(authenticator.build_refresh_token_request_params(refresh))
        except _RefusedError as refused:
            if refused.word not in _LOGIN_ENDED:
                raise BlockedError(
                    f"{self.catalogue}: the identity provider refuses this hub: {refused.word}",
                    hint="the administrators of this hub must look at its client's settings",
                ) from None
            # JupyterHub itself may have used it a moment ago: then there is a newer one.
            newer = await self._state()
            if newer.get("refresh_token") in (None, refresh):
                raise self._log_in() from None
            return self._known(newer["access_token"])
        made = _made(said, self.clock())
        state = await self._state()
        if state.get("refresh_token") != refresh:
            # They logged in again meanwhile: that login is theirs now, not the one refreshed.
            return self._known(state["access_token"])
        state |= {name: said[name] for name in _TOKENS if name in said}
        state["token_response"] = dict(state.get("token_response") or {}) | said
        await self.user.save_auth_state(state)
        self.kept.ends = {_digest(made.secret): (made.ends, made.made)}
        self.kept.exchanged.clear()
        return made

    async def _ask(self, asked: dict[str, str]) -> dict[str, Any]:
        """One request to the provider's token endpoint. No exception's text has its words."""
        authenticator = self.user.authenticator
        until, why = self.kept.silent
        if self.clock() < until:
            raise self._silent(why)
        if asked["grant_type"] == EXCHANGE:
            like = authenticator.build_refresh_token_request_params("")
            asked |= {name: like[name] for name in ("client_id", "client_secret") if name in like}
        try:
            said = await asyncio.wait_for(authenticator.get_token_info(None, asked), PATIENCE)
        except HTTPClientError as error:
            if error.code in {400, 401, 403}:
                raise _RefusedError(_word_of(error)) from None
            raise self._silent(f"answered {error.code}") from None
        except Exception as error:
            status = getattr(error, "status_code", None)
            if status == 403:  # OAuthenticator's own, for an error with a description
                raise _RefusedError("invalid_grant") from None
            raise self._silent(type(error).__name__) from None
        return dict(said)

    def _silent(self, why: str) -> CatalogueUnavailableError:
        if self.clock() >= self.kept.silent[0]:
            self.kept.silent = (self.clock() + PAUSE, why)
        return CatalogueUnavailableError(
            f"{self.catalogue}: no token: the identity provider does not answer ({why})",
            hint="try again later",
        )

    def _log_in(self) -> SourceLoginError:
        return SourceLoginError(
            f"{self.catalogue}: the identity provider takes your login no longer", hint=_LOG_IN
        )


def _made(said: Mapping[str, Any], now: float) -> AccessToken:
    secret = str(said["access_token"])
    life = said.get("expires_in")
    try:
        ends = now + float(life) if life is not None else _end_said(secret)
    except (TypeError, ValueError):
        ends = _end_said(secret)
    return AccessToken(secret, ends, now)


def _end_said(secret: str) -> float | None:
    """The end that a JWT says of itself. Nothing is trusted to it: the source checks the token."""
    parts = secret.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(payload["exp"])
    except (ValueError, KeyError, TypeError):
        return None


def _login_of(state: Mapping[str, Any]) -> bytes:
    """Which login that is; another one has other tokens."""
    return _digest(str(state.get("refresh_token") or state["access_token"]))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _word_of(error: HTTPClientError) -> str:
    try:
        said: Any = error.response
        word = json.loads(said.body)["error"]
    except (AttributeError, ValueError, KeyError, TypeError):
        word = None
    known = isinstance(word, str) and re.fullmatch("[a-z_]{1,40}", word)
    return word if known else f"status {error.code}"


_OF_HUBS: weakref.WeakKeyDictionary[Any, ProviderTokens] = weakref.WeakKeyDictionary()


def provider_tokens(authenticator: Any) -> ProviderTokens:
    """The one of the hub with this authenticator."""
    return _OF_HUBS.setdefault(authenticator, ProviderTokens())


class UserTokens:
    """A ``TokenSource`` for the hub's own pages: the same tokens, without leaving the process."""

    def __init__(self, user: Any, config: Config, catalogue: str) -> None:
        self._user, self._config, self._catalogue = user, config, catalogue

    async def token(self, *, fresh: bool = False) -> str:
        """Raises as :meth:`ProviderTokens.token`."""
        tokens = provider_tokens(self._user.authenticator)
        found = await tokens.token(self._user, self._config, self._catalogue, fresh=fresh)
        return found.secret
