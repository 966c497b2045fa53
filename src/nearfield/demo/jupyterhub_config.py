"""JupyterHub's configuration for ``nearfield demo``; a site starts from hub_config/ instead."""

import importlib
import os
from pathlib import Path

from nearfield.demo import layout, proxy

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it
demo = layout.read(Path(os.environ["NEARFIELD_DEMO"]))
hub = demo.folder / "hub"
hub.mkdir(mode=0o700, exist_ok=True)

c.JupyterHub.bind_url = demo.url
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{demo.hub_port}"
c.JupyterHub.db_url = f"sqlite:///{hub}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(hub / "cookie_secret")
c.ConfigurableHTTPProxy.command = proxy.command()
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{demo.api_port}"
c.ConfigurableHTTPProxy.auth_token = demo.proxy_token
c.ConfigurableHTTPProxy.pid_file = str(hub / "proxy.pid")

# One person on the loopback: the password is made anew at every start.
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = demo.password
c.Authenticator.allowed_users = {demo.user}

# Spawner, pages, services and roles, as at a site. By its name: the core imports no surface.
importlib.import_module("nearfield_spawners.hub_settings").set_up(
    c, demo.config_file, catalogue=f"http://127.0.0.1:{demo.catalogue_port}"
)
c.Spawner.notebook_dir = str(demo.home)

# Who plays the person where there is no browser.
c.JupyterHub.services.append({"name": "journey", "api_token": demo.driver_token})
c.JupyterHub.load_roles.append(
    {
        "name": "journey",
        "services": ["journey"],
        "scopes": ["admin:users", "admin:servers", "tokens", "access:servers", "access:services"],
    }
)
