"""How a session ended, in words for the person whose session it was."""

from __future__ import annotations

import pwd
import re
import time
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from nearfield.scheduler import JobState, JobStatus

EXIT_NOT_STARTED = 77
EXIT_HUB_REFUSED = 78
EXIT_TIME_LIMIT = 79
"""What the node program ends with (docs/reference/scheduler.md)."""
LOG_LINES = 30
_FRESH = "start again, or choose other hardware"

_STATES: dict[JobState, tuple[str, str, str]] = {
    JobState.COMPLETED: ("ended", "the server ended by itself", ""),
    JobState.COMPLETING: ("ended", "the server ended", "the scheduler is still to say why"),
    JobState.FAILED: ("failed", "the server failed", "the end of its log may tell why"),
    JobState.CANCELLED: ("cancelled", "the job was cancelled", "start again if it was not you"),
    JobState.TIMEOUT: (
        "time-limit",
        "the session reached its time limit",
        "choose more time at the next start",
    ),
    JobState.OUT_OF_MEMORY: (
        "out-of-memory",
        "the session used more memory than it asked for",
        "choose hardware with more memory",
    ),
    JobState.NODE_FAIL: (
        "node-failed",
        "node {host} failed",
        "start again: another node will be used",
    ),
    JobState.PREEMPTED: (
        "preempted",
        "a job with priority took the session's place",
        "start again, or choose hardware that is not preempted",
    ),
}
_NODE_HINTS = {
    "dataset-not-readable": "choose other datasets, or ask who owns them for access",
    "apptainer": "ask the administrators: Apptainer does not work on this node",
    "mount": "ask the administrators: a folder that the environment needs is missing on the node",
    "server": "the end of the log may tell why; ask the administrators if it happens again",
    "port": "start again",
    "hub": "ask the administrators: the node could not reach the hub",
    "started-before": "start a new session",
    "image": "ask the administrators: the image of this environment is not fit for use",
    "image-tampered": "tell the administrators: the image is not what was signed",
    "image-unsigned": "ask the administrators: the image must be signed",
    "image-unknown-signer": "ask the administrators: the image is signed by somebody unknown",
    "modules": "ask the administrators: a module of the environment does not load",
    "runtime": "ask the administrators: the site's runtime is not on this node",
    "node": "start again; ask the administrators if it happens again",
}
_NOT_STARTED = re.compile(r"nearfield: not started \(([a-z][a-z-]{0,39})\): (.+)", re.ASCII)
_BY_UID = re.compile(r"by uid ([0-9]{1,10})", re.ASCII)


class Ending(BaseModel):
    """One end, kept in the spawner's state until the next start."""

    model_config = ConfigDict(frozen=True)

    kind: str
    """A word of a fixed list (docs/reference/spawner.md): a label, a translation, a test."""
    message: str
    hint: str = ""
    log: str = ""
    at: float = 0.0
    job: str = ""
    profile: str = ""
    host: str = ""

    @property
    def sentence(self) -> str:
        """``Node na1 failed; start again: another node will be used.``"""
        text = self.message[:1].upper() + self.message[1:]
        return f"{text}; {self.hint}." if self.hint else f"{text}."

    @classmethod
    def loaded(cls, entry: object) -> Ending | None:
        """What was saved; None for nothing, or for an entry of another release."""
        try:
            return cls.model_validate(entry) if entry else None
        except ValidationError:
            return None


def ending_of(
    status: JobStatus,
    *,
    user: str = "",
    log: str = "",
    started: bool = True,
    ends_at: float = 0.0,
    clock: float | None = None,
    **more: Any,
) -> Ending:
    """The ending that ``status`` and the end of the log tell.

    ``started``: did the server listen? Before that, the log's last lines are the node program's.
    ``ends_at``: when the job would have reached its limit.
    """
    at = time.time() if clock is None else clock
    kind, message, hint = _told(status, user, log if not started else "", at, ends_at)
    return Ending(
        kind=kind,
        message=message,
        hint=hint,
        log=log,
        at=at,
        host=status.host or "",
        **more,
    )


def _told(
    status: JobStatus, user: str, log: str, at: float, ends_at: float
) -> tuple[str, str, str]:
    kind, message, hint = _STATES.get(
        status.state, ("failed", f"the job is {status.state.value}", _FRESH)
    )
    code = status.exit_code
    if status.state is JobState.CANCELLED:
        return kind, message + _by_whom(status.reason, user), hint
    if status.state in {JobState.FAILED, JobState.COMPLETED, JobState.COMPLETING}:
        if (refusal := _not_started(log)) and status.state is not JobState.COMPLETED:
            return refusal
        if code == EXIT_TIME_LIMIT or (code is None and ends_at and abs(ends_at - at) < 180):
            return _STATES[JobState.TIMEOUT]
    if status.state is JobState.FAILED:
        if status.reason == "never submitted":
            return "never-submitted", "the job never reached the scheduler", "start again"
        if code is not None:
            message += f" (exit code {code})"
        elif status.reason and status.reason.lower() not in {"none", "nonzeroexitcode"}:
            message += f" ({status.reason})"
    return kind, message.format(host=status.host or "of the job"), hint


def _not_started(log: str) -> tuple[str, str, str] | None:
    """The node program's own refusal. The text is the user's to write: it is a text to us too."""
    for line in reversed(log.splitlines()):
        if found := _NOT_STARTED.fullmatch(line.strip()):
            # A word of our own list only: it becomes a label of the metrics.
            kind = found[1] if found[1] in _NODE_HINTS else "node"
            return kind, found[2][:1000], _NODE_HINTS[kind]
    return None


def _by_whom(reason: str, user: str) -> str:
    found = _BY_UID.fullmatch(reason)
    if found is None:
        return ""
    try:
        name = pwd.getpwuid(int(found[1])).pw_name
    except (KeyError, OverflowError):
        return f" by the account with uid {found[1]}"
    return " outside of this page, by you" if name == user else f" by {name}"


def idle_ending(idle: float, limit: float, **more: Any) -> Ending:
    """Of a session that was stopped when it had been idle for longer than it may."""
    return Ending(
        kind="idle",
        message=f"the session was stopped after {idle / 60:.0f} min without activity"
        f" (the limit is {limit / 60:.0f} min)",
        hint="start again; files that were saved are where they were",
        at=time.time(),
        **more,
    )


def explain(status: JobStatus) -> str:
    """One sentence for a log."""
    return ending_of(status).sentence
