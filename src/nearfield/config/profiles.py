"""``profiles:`` and ``sessions:``: who may start what, and how long it lives."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from nearfield.config._base import ConfigModel, Name


def _as_list(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


class ProfileConfig(ConfigModel):
    """Environment, hardware and who may use them."""

    title: str = ""
    description: str = ""
    environment: Name
    hardware: Annotated[tuple[Name, ...], BeforeValidator(_as_list)] = Field(min_length=1)
    """One or several to choose from; the first is the default."""
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """With neither users nor groups, everybody may."""
    storages: tuple[Name, ...] | None = None
    """Storages bound into the session; None binds all that are near the cluster."""
    per_user: int | None = Field(default=None, ge=1)
    """Sessions of this profile that one user may have at a time; None: no limit of its own."""
    workers: int = Field(default=8, ge=0, le=500)
    """Worker jobs that a session may have at a time, for ``nearfield.cluster()``; 0: none."""
    idle_minutes: int | None = Field(default=None, ge=5)
    """Overrides ``sessions.idle_minutes``."""


class SessionsConfig(ConfigModel):
    """What holds for the sessions of all profiles."""

    named: bool = False
    """May users have named servers besides the default one?"""
    per_user: int = Field(default=1, ge=1, le=100)
    """Sessions that one user may have at a time."""
    idle_minutes: int | None = Field(default=None, ge=5)
    """Sessions idle for longer are ended; None leaves them to their time limit."""
    warn_minutes: tuple[Annotated[int, Field(ge=1)], ...] = (15, 5)
    """How long before its time limit a session is warned."""
    grace_seconds: int = Field(default=60, ge=0, le=600)
    """So long before the time limit the server is asked to end, so that kernels can save."""
