"""Nearfield's errors as JupyterHub shows them: a text for the user, a label for the metrics."""

from __future__ import annotations

from nearfield.errors import (
    AccountError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    ImageRefusedError,
    NearfieldError,
    SchedulerUnavailableError,
    SpecRefusedError,
    SubmitError,
    TooManySessionsError,
    UsageError,
)
from nearfield_spawners.hub_versions import SpawnException

# The first class that fits names the reason.
_REASONS: tuple[tuple[type[NearfieldError], str, int], ...] = (
    (DatasetNotFoundError, "dataset-unknown", 404),
    (DatasetNotPermittedError, "dataset-refused", 403),
    (CatalogueUnavailableError, "catalogue-unavailable", 503),
    (SpecRefusedError, "refused", 403),
    (ImageRefusedError, "image", 403),
    (AccountError, "account", 403),
    (SubmitError, "submit", 502),
    (SchedulerUnavailableError, "scheduler-unavailable", 503),
    (TooManySessionsError, "limit", 429),
    (UsageError, "options", 400),
    (NearfieldError, "failed", 500),
)


class NotStartedError(SpawnException):  # type: ignore[misc]
    """A start that was refused or failed. JupyterHub shows ``str()`` of it on the spawn page."""

    def __str__(self) -> str:
        return str(self.message)


def refusal(error: NearfieldError) -> NotStartedError:
    """The exception to raise in a spawner."""
    reason, status = next((r, s) for kind, r, s in _REASONS if isinstance(error, kind))
    words = f"{error.message}. {_sentence(error.hint)}" if error.hint else error.message
    return NotStartedError(words, reason=reason, status_code=status)


def status_of(error: NearfieldError) -> int:
    """The HTTP status that stands for an error."""
    return next(status for kind, _, status in _REASONS if isinstance(error, kind))


def failed(message: str, reason: str) -> NotStartedError:
    """A start that ended badly, in words for the user."""
    return NotStartedError(message, reason=reason, status_code=500)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
