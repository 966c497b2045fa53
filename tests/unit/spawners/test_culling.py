"""Idle sessions are ended by the limits of the profile that they were started with."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.scopes import scope_definitions

from nearfield.config import Config, parse_config
from nearfield_spawners.culling import Arbiter, roles, services
from nearfield_spawners.live_config import LiveConfig

SITE = """
clusters: {{here: {{scheduler: local}}}}
hardware: {{one: {{cluster: here}}}}
profiles:
  small: {{environment: default, hardware: one}}
  patient: {{environment: default, hardware: one, idle_minutes: 600}}
sessions: {sessions}
"""


def site(sessions: str) -> Config:
    return parse_config(SITE.format(sessions=sessions))


def server(profile: str | None, options: dict[str, Any] | None = None) -> dict[str, Any]:
    state = None if profile is None else {"profile_name": profile}
    return {"name": "", "state": state, "user_options": options}


@pytest.mark.parametrize(
    ("profile", "minutes", "ended"),
    [
        ("small", 59, False),
        ("small", 60, True),
        ("patient", 60, False),
        ("patient", 600, True),
        ("gone-from-the-file", 60, True),
        ("", 10_000, False),
        (None, 10_000, False),
    ],
)
def test_limits(tmp_path: Path, profile: str | None, minutes: int, ended: bool) -> None:
    file = tmp_path / "nearfield.yaml"
    file.write_text(SITE.format(sessions="{idle_minutes: 60}"))
    ask = Arbiter(LiveConfig(file))
    # What the user has put into the options meanwhile does not count.
    asked = server(profile, {"profile": "patient"})
    assert ask(inactive=timedelta(minutes=minutes), inactive_limit=1, server=asked) is ended


def test_who_was_never_seen_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "nearfield.yaml"
    file.write_text(SITE.format(sessions="{idle_minutes: 60}"))
    assert not Arbiter(LiveConfig(file))(inactive=None, inactive_limit=1, server=server("small"))


def test_a_changed_limit_holds_at_once(tmp_path: Path) -> None:
    file = tmp_path / "nearfield.yaml"
    file.write_text(SITE.format(sessions="{idle_minutes: 60}"))
    ask = Arbiter(LiveConfig(file))
    file.write_text(SITE.format(sessions="{idle_minutes: 5}"))
    os.utime(file, ns=(1, 1))
    assert ask(inactive=timedelta(minutes=6), inactive_limit=1, server=server("small"))


def test_the_service_is_there_where_there_is_a_limit() -> None:
    limited = site("{idle_minutes: 60}")
    [service] = services(Path("/etc/nearfield.yaml"), limited)
    [role] = roles(limited)
    assert service["command"][1:] == ["-m", "nearfield_spawners.culling", "/etc/nearfield.yaml"]
    assert role["services"] == [service["name"]]
    assert set(role["scopes"]) <= set(scope_definitions)
    assert services(Path("/x"), site("{}")), "a profile's own limit is one too"
    open_ended = Config()
    assert services(Path("/x"), open_ended) == roles(open_ended) == []
