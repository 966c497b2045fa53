"""Log-ins to SciCat: with the identity provider's token, or a functional account."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from nearfield.catalogue._http import SourceClient
from nearfield.catalogue._tokens import TokenSource
from nearfield.errors import SourceLoginError, SourceStatusError

MARGIN = 60.0
"""Seconds before its end at which a token is no longer used."""
_OIDC = "/api/v3/auth/oidc/token"
_LOGIN = "/api/v3/auth/login"


class _Session:
    """A token of SciCat's own, kept until shortly before its end; shown nowhere."""

    def __init__(self, client: SourceClient, clock: Callable[[], float]) -> None:
        self._client, self._clock = client, clock
        self._token: str | None = None
        self._until = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._client.name!r})"

    def _kept(self, fresh: bool) -> str | None:
        good = self._token is not None and not fresh and self._clock() < self._until
        return self._token if good else None

    async def _log_in(self, path: str, body: dict[str, str]) -> str:
        try:
            said = await self._client.json("POST", path, body=body, anonymous=True, idempotent=True)
        except SourceStatusError as error:
            if error.status in (400, 401, 403):
                raise SourceLoginError(
                    f"{self._client.name}: the log-in is refused",
                    hint="log in again; for a functional account check the file 'account'",
                ) from None
            raise
        token, seconds = _token_in(said)
        if token is None:
            raise SourceLoginError(f"{self._client.name}: a log-in that gave no token")
        self._token, self._until = token, self._clock() + seconds - MARGIN
        return token


class ExchangedTokens(_Session):
    """The identity provider's token, exchanged for one of SciCat's.

    A backend that has no such exchange is given the token as it is.
    """

    def __init__(
        self,
        client: SourceClient,
        token: TokenSource,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(client, clock)
        self._source = token
        self._exchanges = True

    async def token(self, *, fresh: bool = False) -> str | None:
        if kept := self._kept(fresh):
            return kept
        given = await self._source.token(fresh=fresh)
        if given is None or not self._exchanges:
            return given
        try:
            return await self._log_in(_OIDC, {"idToken": given})
        except SourceStatusError as error:
            if error.status not in (404, 405):
                raise
            self._exchanges = False
            return given


class AccountTokens(_Session):
    """A functional account for services and batches: name and password in a file of mode 0600."""

    def __init__(
        self,
        client: SourceClient,
        file: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(client, clock)
        self._file = file

    async def token(self, *, fresh: bool = False) -> str | None:
        if kept := self._kept(fresh):
            return kept
        # Read each time: a changed password counts without a restart, and is not kept here.
        return await self._log_in(_LOGIN, read_account(self._client.name, self._file))


def read_account(name: str, file: Path) -> dict[str, str]:
    """``username`` and ``password`` of a YAML file that only its owner may read.

    Raises:
        SourceLoginError: no such file, one that others may read, or that says something else.
    """
    try:
        with file.open(encoding="utf-8") as opened:
            status = os.fstat(opened.fileno())
            if status.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(status.st_mode) & 0o077:
                raise SourceLoginError(
                    f"{name}: the account file {str(file)!r} may be read by others",
                    hint=f"chmod 600 {file}; if others had it, change the password",
                )
            said = yaml.safe_load(opened.read(10_000))
    except OSError as error:
        raise SourceLoginError(
            f"{name}: the account file {str(file)!r} cannot be read: {error.strerror}",
            hint="see 'account' in its settings",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError):
        said = None
    fields = said if isinstance(said, dict) else {}
    account = {key: fields.get(key) for key in ("username", "password")}
    if not all(isinstance(value, str) and value for value in account.values()):
        # Without what the file says: it holds a password.
        raise SourceLoginError(
            f"{name}: the account file {str(file)!r} does not hold username and password",
            hint="write two lines: 'username: NAME' and 'password: \"…\"'",
        ) from None
    return {key: str(value) for key, value in account.items()}


def _token_in(said: Any) -> tuple[str | None, float]:
    fields = said if isinstance(said, dict) else {}
    token = fields.get("access_token") or fields.get("id")
    seconds = fields.get("expires_in")
    good = isinstance(seconds, int | float) and seconds > 0
    return (token if isinstance(token, str) else None), float(seconds or 0) if good else 600.0
