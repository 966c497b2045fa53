"""What a hub is set up with follows from nearfield.yaml."""

from __future__ import annotations

import json
import runpy
from dataclasses import asdict
from pathlib import Path

import pytest
from traitlets.config import Config as HubConfig

from nearfield.demo import layout, proxy
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
    assert catalogue["display"] is False  # the hub's menu would lead to an API


def test_a_hub_does_not_start_with_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "nearfield.yaml"
    path.write_text("sessions: {named: true}")
    with pytest.raises(ConfigError, match="has no 'clusters'"):
        set_up(HubConfig(), path, catalogue="http://127.0.0.1:9")


def test_a_service_may_not_more_than_it_needs() -> None:
    scopes = {role["name"]: set(role["scopes"]) for role in roles()}
    assert scopes["catalogue"] == {"read:users:groups"}
    assert not any(scope.startswith("admin") for found in scopes.values() for scope in found)


def test_the_demos_hub_is_set_up_as_a_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = {"port": 1, "hub_port": 2, "api_port": 3, "catalogue_port": 4}
    words = dict.fromkeys(("password", "driver_token", "proxy_token"), "x")
    demo = layout.Layout(folder=tmp_path, user="alice", **words, **ports)  # type: ignore[arg-type]
    demo.config_file.write_text(SITE % "true")
    demo.secrets_file.write_text(json.dumps(asdict(demo) | {"folder": str(tmp_path)}))
    monkeypatch.setenv("NEARFIELD_DEMO", str(demo.secrets_file))
    monkeypatch.setattr(proxy, "command", list)
    c, site = HubConfig(), HubConfig()
    file = Path(layout.__file__).with_name("jupyterhub_config.py")
    runpy.run_path(str(file), init_globals={"get_config": lambda: c})
    set_up(site, demo.config_file, catalogue="http://127.0.0.1:4")
    assert [entry["name"] for entry in c.JupyterHub.services[1:]] == ["journey"]
    assert [entry["name"] for entry in c.JupyterHub.load_roles[3:]] == ["journey"]
    c.JupyterHub.services.pop()
    c.JupyterHub.load_roles.pop()
    for part, settings in site.items():
        assert {name: c[part][name] for name in settings} == settings
