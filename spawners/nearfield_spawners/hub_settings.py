"""The settings of JupyterHub that follow from ``nearfield.yaml``.

``hub_config/jupyterhub_config.py`` calls :func:`set_up` and adds what ``nearfield.yaml`` does not
know: addresses, where state lies, who may log in. Lists are made here once; a site appends to
``c.JupyterHub.services`` and ``c.JupyterHub.load_roles``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from nearfield.config import Config, load_site_config
from nearfield_spawners import culling
from nearfield_spawners.assets import templates
from nearfield_spawners.hub_api.tokens import CUSTOM_SCOPES, SCOPE
from nearfield_spawners.identity import check_login

START_SECONDS = 600
"""How long a start may wait in the queue before it is given up."""
_CATALOGUE = "access:services!service=catalogue"


def set_up(c: Any, config_file: Path, *, catalogue: str) -> Config:
    """Set spawner, pages, services and roles. ``catalogue`` is where its service listens.

    Raises:
        ConfigError: the file is not valid; the hub does not start with half of it.
    """
    config = load_site_config(config_file)
    c.JupyterHub.spawner_class = "nearfield"
    c.JupyterHub.template_paths = [templates()]
    c.JupyterHub.allow_named_servers = config.sessions.named
    c.JupyterHub.services = services(config_file, catalogue) + culling.services(config_file, config)
    c.JupyterHub.custom_scopes = dict(CUSTOM_SCOPES)
    c.JupyterHub.load_roles = roles() + culling.roles(config)
    c.Authenticator.post_auth_hook = check_login
    c.NearfieldSpawner.config_file = str(config_file)
    c.NearfieldSpawner.start_timeout = START_SECONDS
    c.Spawner.default_url = "/lab"
    return config


def services(config_file: Path, catalogue: str) -> list[dict[str, Any]]:
    """What the hub starts beside itself."""
    program = [sys.executable, "-m", "nearfield", "--config", str(config_file)]
    return [
        # The only process that opens the embedded catalogue's file. It has no page to show.
        {
            "name": "catalogue",
            "url": catalogue,
            "command": [*program, "catalogue", "serve"],
            "display": False,
        }
    ]


def roles() -> list[dict[str, Any]]:
    """Who may ask what."""
    return [
        # It asks with its own token which groups a user is in: that decides what the user may see.
        {"name": "catalogue", "services": ["catalogue"], "scopes": ["read:users:groups"]},
        # Sessions and people reach it with their own tokens, and only with this scope.
        {
            "name": "server",
            "scopes": ["users:activity!user", "access:servers!server", _CATALOGUE, SCOPE],
        },
        # What a person has, their sessions and batches can be given.
        {"name": "user", "scopes": ["self", _CATALOGUE, SCOPE]},
    ]
