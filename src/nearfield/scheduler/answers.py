"""What a launcher's answers are taken for.

A launcher runs as its user, who can have it say anything. Each answer is held to its shape before
the hub makes anything of it: what does not fit is no answer (SchedulerUnavailableError), or, of one
job or path among several, no knowledge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler._protocol import JobState, JobStatus, PathAccess
from nearfield.scheduler.examination import Examination
from nearfield.scheduler.slurm_forecast import slurm_time
from nearfield.scheduler.slurm_output import is_host, is_job_number
from nearfield.scheduler.wire import one_line

MAX_WORDS = 500
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Times outside are nobody's: with some of them no clock can reckon."""
_CODES = range(1 << 16)


def number_of(told: object) -> str:
    """A job's number: it becomes a JobId, and an argument of the hub's own squeue."""
    if isinstance(told, str) and is_job_number(told):
        return told
    raise SchedulerUnavailableError("the launcher's answer is no job number")


def states_of(told: object, asked: Iterable[str]) -> dict[str, JobStatus]:
    """Number → status, of the jobs that were asked for."""
    if not isinstance(told, dict):
        raise SchedulerUnavailableError("the launcher's answer holds no states")
    return {number: _status(told[number]) for number in asked if number in told}


def _status(told: object) -> JobStatus:
    try:
        status = JobStatus.model_validate(told)
    except (ValidationError, RecursionError):
        return JobStatus(state=JobState.UNKNOWN, reason="the launcher's answer cannot be read")
    if status.host is not None and not is_host(status.host):
        return JobStatus(state=JobState.UNKNOWN, reason="the launcher's answer names no host")
    return status.model_copy(
        update={
            "reason": one_line(status.reason, MAX_WORDS),
            "name": one_line(status.name, MAX_WORDS),
            "exit_code": status.exit_code if status.exit_code in _CODES else None,
            "started": _sensible(status.started),
            "ends": _sensible(status.ends),
        }
    )


def access_of(told: object, asked: Iterable[str]) -> dict[str, PathAccess]:
    """Path → answer, of the paths that were asked for; unknown where there is none."""
    if not isinstance(told, dict):
        raise SchedulerUnavailableError("the launcher's answer tells of no paths")
    return {path: _word(told, path) for path in asked}


def _word(told: Mapping[str, Any], path: str) -> PathAccess:
    try:
        return PathAccess(told.get(path, PathAccess.UNKNOWN))
    except ValueError:
        raise SchedulerUnavailableError(
            "the launcher's answer about a path is neither yes nor no nor unknown"
        ) from None


def time_of(told: object) -> datetime:
    """When a job would start."""
    found = _sensible(slurm_time(told)) if isinstance(told, str) else None
    if found is None:
        raise SchedulerUnavailableError("the launcher's answer names no time")
    return found


def examination_of(told: object) -> Examination:
    """What an account found. It is printed on an administrator's terminal."""
    try:
        return Examination.model_validate(_printable(told))
    except (ValidationError, RecursionError) as error:
        raise SchedulerUnavailableError(
            "the launcher's answer cannot be read",
            hint="do hub and launcher run the same release of nearfield?",
        ) from error


def _sensible(when: datetime | None) -> datetime | None:
    aware = when is not None and when.tzinfo is not None
    return when if aware and when is not None and _FIRST <= when < _LAST else None


def _printable(told: Any) -> Any:
    if isinstance(told, str):
        return "\n".join(one_line(line, 4096) for line in told.splitlines())
    if isinstance(told, dict):
        return {_printable(key): _printable(value) for key, value in told.items()}
    return [_printable(value) for value in told] if isinstance(told, list) else told
