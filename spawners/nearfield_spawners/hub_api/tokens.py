"""``POST /hub/nearfield/api/catalogue-token`` and ``…/batch-token``: tokens for programs.

Both take a token of the hub's in the ``Authorization`` header. No browser is answered: what comes
with a cookie or an origin is refused, whoever it is, so that no page can ask in a user's name.
"""

from __future__ import annotations

import json
import time
from datetime import UTC
from http.client import responses
from typing import Annotated, Any

from jupyterhub import orm
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from tornado import web

from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    NearfieldError,
    SourceLoginError,
    UnknownNameError,
)
from nearfield_spawners.hub_api.handler import PageHandler, RefusedError
from nearfield_spawners.hub_api.models import BatchTokenAnswer, CatalogueTokenAnswer
from nearfield_spawners.logs import event
from nearfield_spawners.provider_tokens import provider_tokens
from nearfield_spawners.user_tokens import service_scope

SCOPE = "custom:nearfield:catalogue-tokens"
"""What a token of the hub's must hold: sessions have it, and batch tokens."""
CUSTOM_SCOPES = {
    SCOPE: {"description": "Get access tokens for catalogues, as the identity provider allows"}
}
BATCH_NOTE = "Nearfield batch"
MAX_HOURS = 24 * 30

# The first that fits: status, and the reason that a program is told.
_REFUSALS: tuple[tuple[type[NearfieldError], int, str | None], ...] = (
    (SourceLoginError, 403, "token-expired"),
    (UnknownNameError, 404, "not-found"),
    (CatalogueUnavailableError, 503, "unavailable"),
    (BlockedError, 409, "blocked"),
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CatalogueTokenAsked(_Model):
    """Body of ``POST catalogue-token``."""

    catalogue: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    fresh: bool = False
    """The token given last was refused."""


class BatchTokenAsked(_Model):
    """Body of ``POST batch-token``."""

    hours: int = Field(default=72, ge=1, le=MAX_HOURS)
    note: Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w .:/-]*$")] = ""


class TokenHandler(PageHandler):
    """Whose token it is, and that it is not a browser that asks."""

    _accept_cookie_auth = False

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        # The login is refreshed here where it must be, and who is told so gets words for it.
        return user

    def check_xsrf_cookie(self) -> None:
        """No cookie counts here, so none can be forged."""

    def owner(self) -> Any:
        """The user whose token it is, who may have tokens made. Raises RefusedError."""
        headers = self.request.headers
        if "Cookie" in headers or "Origin" in headers or "Sec-Fetch-Mode" in headers:
            raise RefusedError(403, "no browser is answered here", "ask from a session")
        if self.get_query_arguments("token"):
            raise RefusedError(403, "a token belongs in the Authorization header")
        if not self._token_authenticated:
            raise RefusedError(
                401, "the hub does not know this token", "ask from a session that runs"
            )
        user = self._asker()
        if SCOPE not in self.expanded_scopes:
            raise RefusedError(
                403, f"this token lacks the scope {SCOPE}", "sessions and batch tokens have it"
            )
        return user

    def asked(self, model: Any) -> Any:
        """The body as ``model``. Raises RefusedError."""
        try:
            return model.model_validate(self.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "body"
            raise RefusedError(400, f"{field}: {first['msg']}") from None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None))[1]
        message, hint, reason = responses.get(status_code, "Unknown Error"), None, None
        if isinstance(error, NearfieldError):
            found = ((s, r) for kind, s, r in _REFUSALS if isinstance(error, kind))
            status_code, reason = next(found, (500, None))
            self.set_status(status_code)
            message, hint = error.message, error.hint
        elif isinstance(error, RefusedError):
            message, hint = error.message, error.hint
        elif isinstance(error, web.HTTPError) and status_code < 500:
            message = error.get_message() or message
        said = {"status": status_code, "message": message, "hint": hint, "reason": reason}
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(said))


class CatalogueTokenHandler(TokenHandler):
    """``POST catalogue-token``: a short-lived access token for one catalogue."""

    async def post(self) -> None:
        user = self.owner()
        asked = self.asked(CatalogueTokenAsked)
        tokens = provider_tokens(user.authenticator)
        told = {"user": user.name, "catalogue": asked.catalogue}
        try:
            found = await tokens.token(
                user, user.spawner.live.config, asked.catalogue, fresh=asked.fresh
            )
        except NearfieldError as error:
            event(self.log, "catalogue-token-refused", **told, why=type(error).__name__)
            raise
        event(self.log, "catalogue-token", **told)
        left = None if found.ends is None else max(0, int(found.ends - time.time()))
        self.answer(CatalogueTokenAnswer(access_token=found.secret, expires_in=left))


class BatchTokenHandler(TokenHandler):
    """``POST batch-token`` makes one, ``DELETE batch-token`` revokes the one that is sent."""

    def post(self) -> None:
        user = self.owner()
        asked = self.asked(BatchTokenAsked)
        if self._is_batch(self.get_token()):
            raise RefusedError(403, "a batch token makes no other", "make it from a session")
        scopes = [SCOPE, service_scope(user.spawner.live.config)]
        if missing := [scope for scope in scopes if not self.has_scope(scope)]:
            raise RefusedError(
                403, f"this token lacks the scope {missing[0]}", "a token makes none that may more"
            )
        seconds = asked.hours * 3600
        self._check_end(seconds)
        note = f"{BATCH_NOTE}: {asked.note}" if asked.note else BATCH_NOTE
        try:
            token = user.new_api_token(note=note, expires_in=seconds, scopes=scopes)
        except ValueError:
            raise RefusedError(
                403,
                f"the user {user.name} lacks one of the scopes {', '.join(scopes)}",
                "the hub's role 'user' must have them (docs/how-to/login.md)",
            ) from None
        event(self.log, "batch-token", user=user.name, hours=asked.hours)
        self.set_status(201)
        self.answer(
            BatchTokenAnswer(token=token, expires=time.time() + seconds, scopes=tuple(scopes))
        )

    def delete(self) -> None:
        user = self.owner()
        row = self.get_token()
        if not self._is_batch(row):
            raise RefusedError(409, "this is no batch token", "others are revoked at /hub/token")
        self.db.delete(row)
        self.db.commit()
        event(self.log, "batch-token-revoked", user=user.name)
        self.set_status(204)
        self.finish()

    def _check_end(self, seconds: float) -> None:
        ends = self.get_token().expires_at
        # JupyterHub keeps UTC without saying so.
        if ends is not None and ends.replace(tzinfo=UTC).timestamp() < time.time() + seconds:
            raise RefusedError(
                403,
                "this token ends before the one that is asked for would",
                "ask for fewer hours, or from a session",
            )

    @staticmethod
    def _is_batch(row: orm.APIToken | None) -> bool:
        return row is not None and str(row.note or "").startswith(BATCH_NOTE)
