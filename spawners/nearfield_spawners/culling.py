"""Ending idle sessions: jupyterhub-idle-culler with our limits.

It asks a hook about each server. Ours knows the limits of ``nearfield.yaml``, reads them again when
the file changes, and goes by the profile that the server was started with, from the hub's own
state: what a user has put into the options since does not count.

``python -m nearfield_spawners.culling CONFIG`` is the service.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from nearfield.config import Config
from nearfield_spawners.live_config import LiveConfig

NAME = "idle-culler"
EVERY_SECONDS = 60
SCOPES = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
"""What the culler asks and does; ``admin:server_state`` comes on top, for the profile."""


def idle_limit(config: Config, profile: str) -> timedelta | None:
    """How long a session of this profile may be idle; None: as long as it likes."""
    entry = config.profiles.get(profile)
    minutes = entry.idle_minutes if entry is not None else None
    minutes = config.sessions.idle_minutes if minutes is None else minutes
    return None if minutes is None else timedelta(minutes=minutes)


class Arbiter:
    """The hook of the culler."""

    def __init__(self, live: LiveConfig) -> None:
        self._live = live

    def __call__(self, *, inactive: timedelta | None, server: dict[str, Any], **_: Any) -> bool:
        """Is this server to be ended?"""
        profile = (server.get("state") or {}).get("profile_name")
        if inactive is None or not profile:
            return False  # not one of ours, or nobody can say how long it was idle
        limit = idle_limit(self._live.config, str(profile))
        return limit is not None and inactive >= limit


def wanted(config: Config) -> bool:
    """Is there any limit?"""
    minutes = [config.sessions.idle_minutes, *(p.idle_minutes for p in config.profiles.values())]
    return any(limit is not None for limit in minutes)


def services(config_file: Path, config: Config) -> list[dict[str, Any]]:
    """The service, if any session may be ended for being idle."""
    command = [sys.executable, "-m", "nearfield_spawners.culling", str(config_file)]
    return [{"name": NAME, "command": command}] if wanted(config) else []


def roles(config: Config) -> list[dict[str, Any]]:
    """What it may do."""
    role = {"name": NAME, "services": [NAME], "scopes": [*SCOPES, "admin:server_state"]}
    return [role] if wanted(config) else []


def main(argv: list[str]) -> None:
    """Run the culler until it is ended."""
    from jupyterhub_idle_culler import IdleCuller

    app = IdleCuller(
        config_file="",
        cull_every=EVERY_SECONDS,
        cull_arbiter_hook=Arbiter(LiveConfig.of(argv[0])),
    )
    app.initialize([])
    app.start()


if __name__ == "__main__":
    main(sys.argv[1:])
