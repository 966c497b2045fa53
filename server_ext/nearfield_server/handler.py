"""What every route shares: who may ask, and how a refusal looks.

A refusal is ``{"message", "hint", "reason"}``; ``reason`` is a word that a program can act upon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import responses
from typing import Any, TypeVar

from jupyter_server.base.handlers import APIHandler
from pydantic import BaseModel, ValidationError
from tornado import web

from nearfield.config import in_words
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    ConfigError,
    DataFileError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
    QuerySyntaxError,
    SourceLoginError,
    UnknownNameError,
    UnsupportedQueryError,
    UsageError,
)
from nearfield.querying.reasons import reason_of
from nearfield_server.access import CatalogueAccess
from nearfield_server.events import Events

T = TypeVar("T", bound=BaseModel)

# The first that fits.
_STATUSES: tuple[tuple[type[NearfieldError], int], ...] = (
    (QuerySyntaxError, 400),
    (UnsupportedQueryError, 400),
    (UnknownNameError, 404),
    (DatasetNotFoundError, 404),
    (DatasetNotPermittedError, 403),
    (SourceLoginError, 403),
    (CatalogueUnavailableError, 503),
    (DataFileError, 409),
    (ConfigError, 503),
    (BlockedError, 503),
    (UsageError, 400),
)
_REASONS = {400: "usage", 403: "forbidden", 404: "not-found", 503: "unavailable"}


class Handler(APIHandler):
    """Answers with the rights of the session's own user, to whom the server lets in."""

    auth_resource = "nearfield"
    blocked_status = 503
    """What a missing part means: for most routes that they cannot work."""

    @property
    def access(self) -> CatalogueAccess:
        access: CatalogueAccess = self.settings["nearfield_access"]
        return access

    @property
    def events(self) -> Events:
        events: Events = self.settings["nearfield_events"]
        return events

    def answer(self, said: BaseModel | Mapping[str, Any], status: int = 200) -> None:
        """Finish with JSON that no cache may keep: it is one person's view."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        if isinstance(said, BaseModel):
            self.finish(said.model_dump_json())
        else:
            self.finish(json.dumps(said))

    def asked(self, model: type[T]) -> T:
        """The URL's parameters as ``model``; the last of several values counts.

        Raises:
            UsageError: one is unknown or does not fit; names it.
        """
        said = {
            name: self.get_query_arguments(name)[-1]
            for name in self.request.query_arguments
            if name not in {"token", "_xsrf", "_"}  # the server's own
            and not name.isdigit()  # JupyterLab puts the time there, so that no cache answers
        }
        return _valid(model, lambda: model.model_validate(said))

    def body(self, model: type[T]) -> T:
        """The request's body as ``model``. Raises UsageError."""
        return _valid(model, lambda: model.model_validate_json(self.request.body or b"{}"))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # A refusal is an answer, not a failure of the server.
        if not isinstance(value, NearfieldError):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None))[1]
        said: dict[str, Any] = {
            "message": responses.get(status_code, "Unknown Error"),
            "hint": None,
            "reason": _REASONS.get(status_code),
        }
        if isinstance(error, NearfieldError):
            status_code, said = refusal(error, self.blocked_status)
            self.set_status(status_code)
        elif isinstance(error, web.HTTPError) and status_code < 500:
            said["message"] = error.get_message() or said["message"]
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(said))


def refusal(error: NearfieldError, blocked: int = 503) -> tuple[int, dict[str, Any]]:
    """Status and body that tell ``error``."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    if isinstance(error, BlockedError):
        status = blocked
    said: dict[str, Any] = {
        "message": error.message,
        "hint": error.hint,
        "reason": reason_of(error),
    }
    if isinstance(error, QuerySyntaxError):
        said["position"] = error.position
    return status, said


def _valid(model: type[T], read: Any) -> T:
    try:
        found: T = read()
    except ValidationError as error:
        raise UsageError(explain(error)) from None
    return found


def explain(error: ValidationError) -> str:
    """What of a request does not fit, without its values."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'body'}: {in_words(e)}"
        for e in error.errors(include_url=False, include_input=False)[:20]
    )
