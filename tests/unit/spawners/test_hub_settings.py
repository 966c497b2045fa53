"""What a hub is set up with follows from nearfield.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets.config import Config as HubConfig

from nearfield.errors import ConfigError
from nearfield_spawners.hub_settings import roles, set_up

SITE = """
clusters: {here: {scheduler: local}}
hardware: {small: {cluster: here}}
environments: {plain: {}}
profiles: {small: {environment: plain, hardware: small}}
sessions: {named: %s}
"""


@pytest.mark.parametrize("named", [True, False])
def test_a_hub_is_set_up(tmp_path: Path, named: bool) -> None:
    path = tmp_path / "nearfield.yaml"
    path.write_text(SITE % str(named).lower())
    c = HubConfig()
    set_up(c, path, catalogue="http://127.0.0.1:9")
    assert c.JupyterHub.spawner_class == "nearfield"
    assert c.JupyterHub.allow_named_servers is named
    assert c.NearfieldSpawner.config_file == str(path)
    catalogue = next(s for s in c.JupyterHub.services if s["name"] == "catalogue")
    assert catalogue["command"][-2:] == ["catalogue", "serve"]
    assert str(path) in catalogue["command"]


def test_a_hub_does_not_start_with_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "nearfield.yaml"
    path.write_text("sessions: {named: true}")
    with pytest.raises(ConfigError, match="has no 'clusters'"):
        set_up(HubConfig(), path, catalogue="http://127.0.0.1:9")


def test_a_service_may_not_more_than_it_needs() -> None:
    scopes = {role["name"]: set(role["scopes"]) for role in roles()}
    assert scopes["catalogue"] == {"read:users:groups"}
    assert not any(scope.startswith("admin") for found in scopes.values() for scope in found)
