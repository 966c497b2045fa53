"""Who is asking the catalogue service: the hub says so, from the caller's own token."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from nearfield.catalogue._posix import unix_groups
from nearfield.datasets import Principal
from nearfield.errors import CatalogueUnavailableError, DatasetNotPermittedError

CACHE_SECONDS = 30.0
CACHE_SIZE = 4096


def hub_tls(environment: Mapping[str, str]) -> ssl.SSLContext | None:
    """JupyterHub's ``internal_ssl``: the certificates that it gives to a service it manages."""
    if not environment.get("JUPYTERHUB_SSL_CERTFILE"):
        return None
    context = ssl.create_default_context(cafile=environment.get("JUPYTERHUB_SSL_CLIENT_CA"))
    context.load_cert_chain(
        environment["JUPYTERHUB_SSL_CERTFILE"], environment.get("JUPYTERHUB_SSL_KEYFILE")
    )
    return context


class NotLoggedInError(Exception):
    """No token, or one that the hub does not know."""


class HubAuthenticator:
    """Asks the hub whose a token is, and remembers the answer for at most 30 s.

    A revoked token, a changed group or a lost admin flag thus counts after 30 s. Tokens are
    remembered by their SHA-256 only.
    """

    def __init__(
        self,
        api_url: str,
        service_token: str | None = None,
        *,
        service_name: str = "catalogue",
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        groups_of: Callable[[str], frozenset[str]] = unix_groups,
        account_path: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url, self._service_token = api_url.rstrip("/"), service_token
        # The hub's own rule for who may use a service: one of these scopes.
        self._access = f"access:services!service={service_name}"
        # Where the hub says whose Unix account a user has; without: the user's own name.
        self._account_path = account_path
        self._clock, self._groups_of = clock, groups_of
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(10.0),
            transport=transport,
            trust_env=False,
            verify=True if tls is None else tls,
        )

    async def principal(self, header: str | None) -> Principal:
        """The user behind an ``Authorization`` header (``token X`` or ``Bearer X``).

        Raises:
            NotLoggedInError: no such header, or a token that the hub refuses.
            DatasetNotPermittedError: the token is not a user's, or may not access this service.
            CatalogueUnavailableError: the hub does not answer.
        """
        token = _token_of(header)
        key = hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        now = self._clock()
        if known is not None and now < known[0]:
            self._known.move_to_end(key)
            return known[1]
        self._known.pop(key, None)
        principal = await self._ask(token)
        self._known[key] = (now + CACHE_SECONDS, principal)
        while len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)
        return principal

    async def aclose(self) -> None:
        """Release connections."""
        await self._client.aclose()

    async def _ask(self, token: str) -> Principal:
        answer = await self._get("/user", token)
        if answer.status_code in (401, 403):
            raise NotLoggedInError
        said = _object(answer)
        name, kind = said.get("name"), said.get("kind", "user")
        if kind != "user":
            # A service may have a user's name, and must not have the user's rights.
            raise DatasetNotPermittedError(
                "this token belongs to a service, not to a user", hint="ask with a user's token"
            )
        if not isinstance(name, str) or not name:
            raise NotLoggedInError
        self._check_scopes(said.get("scopes"))
        groups = said.get("groups")
        if groups is None:
            groups = await self._groups(name)
        hub_groups = frozenset(group for group in groups if isinstance(group, str))
        if self._account_path is not None:
            name = await self._account(token)
        host_groups = await asyncio.to_thread(self._groups_of, name)
        return Principal(
            name=name, groups=hub_groups | host_groups, admin=said.get("admin") is True
        )

    async def _account(self, token: str) -> str:
        answer = await self._get(self._account_path or "", token)
        if answer.status_code == 403:
            raise DatasetNotPermittedError(
                "the hub knows no Unix account of yours", hint="start your server to see why"
            )
        account = _object(answer).get("account")
        if not isinstance(account, str) or not account:
            raise _unavailable("no account in the hub's answer")
        return account

    def _check_scopes(self, scopes: object) -> None:
        """A token is no more than its scopes: one that only says whose it is opens nothing.

        The hub lists scopes expanded: roles, ``self`` and ``inherit`` are resolved.
        """
        held = scopes if isinstance(scopes, list) else []
        if "access:services" not in held and self._access not in held:
            raise DatasetNotPermittedError(
                f"this token lacks the scope {self._access}",
                hint="make a new token, or restart your server if the token is a session's; "
                "if that does not help, the hub's roles 'user' and 'server' lack the scope",
            )

    async def _groups(self, name: str) -> list[Any]:
        """Hub groups that the user's own token may not tell; needs the scope read:users:groups."""
        if not self._service_token:
            return []
        answer = await self._get(f"/users/{quote(name, safe='')}", self._service_token)
        groups = _object(answer).get("groups") if answer.is_success else None
        return groups if isinstance(groups, list) else []

    async def _get(self, path: str, token: str) -> httpx.Response:
        try:
            answer = await self._client.get(
                self._url + path, headers={"Authorization": f"Bearer {token}"}
            )
        except httpx.HTTPError as error:
            raise _unavailable(type(error).__name__) from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise _unavailable(f"status {answer.status_code}")
        return answer


def _token_of(header: str | None) -> str:
    kind, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    # A token goes into a header of ours: nothing but visible ASCII.
    if kind.lower() not in ("token", "bearer") or not token or len(token) > 4096:
        raise NotLoggedInError
    if any(not "!" <= character <= "~" for character in token):
        raise NotLoggedInError
    return token


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not answer.is_success or not isinstance(said, dict):
        raise _unavailable(f"an answer that is not the hub's (status {answer.status_code})")
    return said


def _unavailable(why: str) -> CatalogueUnavailableError:
    return CatalogueUnavailableError(
        f"the hub does not say who is asking: {why}", hint="try again in a minute"
    )
