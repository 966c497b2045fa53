"""``GET sessions``: the user's sessions, those that run and those that ended lately."""

from __future__ import annotations

import time
from typing import Any

from nearfield.scheduler import JobState
from nearfield_spawners.hub_api.handler import PageHandler, RefusedError
from nearfield_spawners.hub_api.models import (
    EndedShown,
    SessionsAnswer,
    SessionShown,
    StageShown,
    WarningShown,
)
from nearfield_spawners.time_left import warning_of


class SessionsHandler(PageHandler):
    """Asks nobody: it answers from what the spawners and the monitor remember."""

    def get(self) -> None:
        self.answer(sessions_of(self._whose()))

    def _whose(self) -> Any:
        """The asking user, or the one that a token with the scope for it names."""
        name = self.get_query_argument("user", None)
        if name is None:
            return self.user_spawner().user
        scope = f"read:servers!user={name}"
        if not self.has_scope(scope):
            raise RefusedError(403, f"this token lacks the scope {scope}", "ask for your own")
        found = self.find_user(name)
        if found is None:
            raise RefusedError(404, f"no user {name!r}")
        return found


def sessions_of(user: Any, now: float | None = None) -> SessionsAnswer:
    """What is known of this user's sessions."""
    now = time.time() if now is None else now
    names = sorted(user.orm_user.orm_spawners)
    shown = (session_of(user.spawners[name], now) for name in names)
    return SessionsAnswer(sessions=tuple(one for one in shown if one is not None))


def session_of(spawner: Any, now: float) -> SessionShown | None:
    """One session; None where there is nothing to tell."""
    ending = getattr(spawner, "last_ending", None)
    if not hasattr(spawner, "live") or not (spawner.job_name or spawner.pending or ending):
        return None
    job, lives = spawner.job, bool(spawner.job_name)
    ends = spawner.ends_at if lives and spawner.ends_at else None
    marks = spawner.live.recent.sessions.warn_minutes
    warned = warning_of(ends or 0.0, now, marks)
    return SessionShown(
        server=spawner.name,
        profile=spawner.profile_name or (ending.profile if ending else ""),
        hardware=_hardware(spawner) if lives else "",
        cluster=spawner.cluster_name,
        job=(job.number if job else "") if lives else (ending.job if ending else ""),
        state=_state(spawner),
        host=spawner.host or None,
        url=spawner.user.server_url(spawner.name) if spawner.ready else None,
        started=spawner.started_at or None,
        ends=ends,
        remaining_seconds=max(0.0, ends - now) if ends else None,
        warning=WarningShown(minutes=warned.minutes, message=warned.message) if warned else None,
        stages=tuple(StageShown.model_validate(stage.told()) for stage in spawner.stages),
        ended=EndedShown(
            kind=ending.kind,
            message=ending.message,
            hint=ending.hint,
            log=ending.log,
            at=ending.at,
            host=ending.host or None,
        )
        if ending
        else None,
    )


def _hardware(spawner: Any) -> str:
    """As planned; a session that an older release started has only what the user asked for."""
    return spawner.hardware_name or str((spawner.user_options or {}).get("hardware", ""))


def _state(spawner: Any) -> str:
    if spawner.pending in {"spawn", "check"}:
        return "starting"
    if spawner.pending == "stop":
        return "stopping"
    if not spawner.job_name:
        return "ended"
    job = spawner.job
    told = spawner.live.monitor(spawner.cluster_name).told(job) if job else None
    if told is None or told.state is JobState.UNKNOWN:
        return "unknown"
    return "suspended" if told.state is JobState.SUSPENDED else "running"
