"""Why something was not answered, as a word that a program can act upon."""

from __future__ import annotations

from typing import Literal

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
    SourceStatusError,
    UnknownNameError,
    UnsupportedQueryError,
    UsageError,
)

Reason = Literal[
    "syntax",
    "unsupported",
    "not-found",
    "forbidden",
    "token-expired",
    "unavailable",
    "usage",
    "blocked",
]

# The first that fits.
_REASONS: tuple[tuple[type[NearfieldError], Reason], ...] = (
    (QuerySyntaxError, "syntax"),
    (UnsupportedQueryError, "unsupported"),
    (UnknownNameError, "not-found"),
    (DatasetNotFoundError, "not-found"),
    (DatasetNotPermittedError, "forbidden"),
    (SourceLoginError, "token-expired"),
    (CatalogueUnavailableError, "unavailable"),
    (DataFileError, "unavailable"),
    (ConfigError, "blocked"),
    (BlockedError, "blocked"),
    (UsageError, "usage"),
)
_STATUSES: dict[int, Reason] = {403: "forbidden", 404: "not-found"}


def reason_of(error: BaseException | None) -> Reason | None:
    """The word for ``error``; ``None`` where there is none: it failed, and nothing is known to do.

    ``token-expired`` means that to log in again helps; ``blocked`` that something is missing.
    """
    if isinstance(error, SourceLoginError) and not error.again:
        return "blocked"
    if isinstance(error, SourceStatusError):
        return _STATUSES.get(error.status)
    return next((word for kind, word in _REASONS if isinstance(error, kind)), None)
