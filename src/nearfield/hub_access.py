"""How a program of a user's reaches the hub: its address and a token, from a session or a batch.

A session has both in its environment. A batch outlives the session that started it, so it has a
token of its own, made by :func:`make_batch_token`, in a file that ``$NEARFIELD_HUB_TOKEN_FILE``
names: with it one can ask the catalogues and nothing else, and it can be revoked.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import ssl
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from nearfield.config import user_data_dir
from nearfield.errors import BlockedError, NearfieldError, UsageError

TOKEN_FILE = "NEARFIELD_HUB_TOKEN_FILE"  # noqa: S105 - the name of a variable
_FORMAT = "nearfield-hub-token/1"


@dataclass(frozen=True)
class HubAccess:
    """Where the hub is, and the token to ask with."""

    api_url: str
    token: str = field(repr=False)
    catalogue_url: str | None = None
    """The hub's catalogue service, as the session that made it knew it."""
    expires: float | None = None

    @classmethod
    def current(cls, environment: Mapping[str, str] | None = None) -> HubAccess:
        """That of this process.

        Raises:
            BlockedError: it runs neither in a session nor in a batch, or the batch's token file
                cannot be used.
        """
        said = os.environ if environment is None else environment
        if file := said.get(TOKEN_FILE):
            return cls.read(Path(file))
        url, token = said.get("JUPYTERHUB_API_URL"), said.get("JUPYTERHUB_API_TOKEN")
        if not url or not token:
            raise BlockedError(
                "there is no hub to ask for a token",
                hint=f"run it in a session, or name a batch's token file in {TOKEN_FILE}",
            )
        return cls(url, token, said.get("NEARFIELD_CATALOGUE_URL"))

    @classmethod
    def read(cls, file: Path) -> HubAccess:
        """From a batch's token file. Raises BlockedError unless it is its owner's alone."""
        again = "make another one with: nearfield session batch-token"
        try:
            # Opened first, then looked at: what is read is what was checked.
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, encoding="utf-8") as opened:
                found = os.fstat(opened.fileno())
                if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
                    raise BlockedError(
                        f"{file}: others may read this token: it is not used",
                        hint=f"revoke it at the hub's page Token, and {again}",
                    )
                said = json.load(opened)
            if said["format"] != _FORMAT:
                raise ValueError
            return cls(
                str(said["api_url"]), str(said["token"]), said["catalogue_url"], said["expires"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no token file"
            raise BlockedError(f"{file}: cannot be used: {why}", hint=again) from None

    def write(self, file: Path) -> None:
        """Into a new file of mode 0600.

        Raises:
            UsageError: there is one already.
            BlockedError: it cannot be written.
        """
        said = {
            "format": _FORMAT,
            "api_url": self.api_url,
            "token": self.token,
            "catalogue_url": self.catalogue_url,
            "expires": self.expires,
        }
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_new(file, json.dumps(said))
        except OSError as error:
            raise BlockedError(f"{file}: cannot be written: {error.strerror}") from None

    @property
    def ours(self) -> str:
        """Where the hub's routes for programs are."""
        return self.api_url.rstrip("/").removesuffix("/api") + "/nearfield/api"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}


def _write_new(file: Path, text: str) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise UsageError(f"{file}: is there already") from None
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        os.fchmod(opened.fileno(), 0o600)
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def make_batch_token(
    *,
    hours: int = 72,
    note: str = "",
    file: Path | None = None,
    access: HubAccess | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Path:
    """A token of the hub's for a batch, in a file that only this account may read.

    Raises:
        BlockedError: this is no session, the hub makes none, or the file cannot be written.
        UsageError: the file is there already, or the hub does not allow so many hours.
    """
    access = access or HubAccess.current()
    name = f"batch-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    file = file or user_data_dir() / "tokens" / name
    if file.exists():
        raise UsageError(f"{file}: is there already")
    body = {"hours": hours, "note": note}
    said = _ask(access, "POST", body, transport)
    made = HubAccess(access.api_url, said["token"], access.catalogue_url, said["expires"])
    try:
        made.write(file)
    except BaseException:
        # A token that nobody holds is one too many.
        _ask(made, "DELETE", None, transport)
        raise
    return file


def revoke_batch_token(file: Path, *, transport: httpx.BaseTransport | None = None) -> None:
    """Make a batch's token worthless, and remove its file.

    Raises:
        BlockedError: it is no token file, or the hub does not answer; the file stays.
    """
    access = HubAccess.read(file)
    # Expired, or revoked at the hub's page: all the better.
    with contextlib.suppress(_NotKnownError):
        _ask(access, "DELETE", None, transport)
    file.unlink(missing_ok=True)


class _NotKnownError(BlockedError):
    """The hub does not know the token."""


def _ask(
    access: HubAccess, method: str, body: object, transport: httpx.BaseTransport | None
) -> dict[str, Any]:
    try:
        with httpx.Client(
            transport=transport, trust_env=False, timeout=20, verify=hub_tls()
        ) as client:
            answer = client.request(
                method, f"{access.ours}/batch-token", headers=access.headers, json=body
            )
        said = answer.json() if answer.content else {}
        if answer.is_success and isinstance(said, dict):
            return said
        message, hint = str(said["message"]), said.get("hint")
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BlockedError(
            f"the hub at {access.api_url} makes no batch token: {type(error).__name__}",
            hint="is it running, and is it a hub with Nearfield of this version?",
        ) from None
    raise _refused(answer.status_code, message, hint)


def _refused(status: int, message: str, hint: str | None) -> NearfieldError:
    if status == 400:
        return UsageError(message, hint=hint)
    if status == 401:
        return _NotKnownError(message, hint=hint)
    return BlockedError(message, hint=hint)


def hub_tls(environment: Mapping[str, str] | None = None) -> ssl.SSLContext | bool:
    """JupyterHub's ``internal_ssl``: the certificates that it gives to what it started."""
    said = os.environ if environment is None else environment
    if not said.get("JUPYTERHUB_SSL_CERTFILE"):
        return True
    context = ssl.create_default_context(cafile=said.get("JUPYTERHUB_SSL_CLIENT_CA"))
    context.load_cert_chain(said["JUPYTERHUB_SSL_CERTFILE"], said.get("JUPYTERHUB_SSL_KEYFILE"))
    return context
