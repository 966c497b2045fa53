"""JupyterHub's configuration for a site: everything about sessions is in nearfield.yaml.

The hub runs as an unprivileged account. Addresses come from its environment (``hub.env``), secrets
too (``secrets.env``): CONFIGPROXY_AUTH_TOKEN, shared with the proxy, and JUPYTERHUB_CRYPT_KEY where
the login has state to keep. What is the site's own, the authenticator above all, goes to the file
that NEARFIELD_HUB_EXTRA names; ``oidc.py`` is an example.
"""

import os
from pathlib import Path

from nearfield_spawners.hub_settings import set_up

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it
state = Path(os.environ.get("NEARFIELD_STATE", "/var/lib/nearfield"))

# Spawner, named servers, services, roles.
set_up(
    c,
    Path(os.environ.get("NEARFIELD_CONFIG", "/etc/nearfield/nearfield.yaml")),
    catalogue=os.environ.get("NEARFIELD_CATALOGUE_BIND", "http://127.0.0.1:8082"),
)

# Where people, jobs and the proxy reach what. Jobs must reach hub_bind_url.
c.JupyterHub.bind_url = os.environ.get("NEARFIELD_PUBLIC", "http://127.0.0.1:8000")
c.JupyterHub.hub_bind_url = os.environ.get("NEARFIELD_HUB", "http://127.0.0.1:8081")
c.ConfigurableHTTPProxy.api_url = os.environ.get("NEARFIELD_PROXY_API", "http://127.0.0.1:8001")

# Sessions outlive the hub: the proxy is a service of its own, servers are left running.
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.db_url = f"sqlite:///{state}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")

# Here add to lists with .append(…): assigning them anew would drop the catalogue.
if extra := os.environ.get("NEARFIELD_HUB_EXTRA"):
    load_subconfig(extra)  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it
