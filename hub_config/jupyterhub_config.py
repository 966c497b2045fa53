"""JupyterHub's configuration for a site: everything about sessions is in nearfield.yaml.

The hub runs as an unprivileged account. It needs from its environment
``CONFIGPROXY_AUTH_TOKEN`` (shared with the proxy, which runs by itself so that a restart of the
hub touches no session). Choose the authenticator at the end.
"""

import os
import sys
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it
config_file = Path(os.environ.get("NEARFIELD_CONFIG", "/etc/nearfield/nearfield.yaml"))
state = Path(os.environ.get("NEARFIELD_STATE", "/var/lib/nearfield"))

# Where people, jobs and the proxy reach what. Jobs must reach hub_connect_url.
c.JupyterHub.bind_url = os.environ.get("NEARFIELD_PUBLIC", "http://127.0.0.1:8000")
c.JupyterHub.hub_bind_url = os.environ.get("NEARFIELD_HUB", "http://127.0.0.1:8081")
c.ConfigurableHTTPProxy.api_url = os.environ.get("NEARFIELD_PROXY_API", "http://127.0.0.1:8001")

# Sessions outlive the hub: the proxy is its own service, servers are left running.
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.db_url = f"sqlite:///{state}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")

c.JupyterHub.spawner_class = "nearfield"
c.NearfieldSpawner.config_file = str(config_file)
c.NearfieldSpawner.start_timeout = 600
c.Spawner.default_url = "/lab"

c.JupyterHub.services = [
    {
        # The only process that opens the embedded catalogue's file.
        "name": "catalogue",
        "url": os.environ.get("NEARFIELD_CATALOGUE_BIND", "http://127.0.0.1:8082"),
        "command": [
            *(sys.executable, "-m", "nearfield", "--config", str(config_file)),
            *("catalogue", "serve"),
        ],
    },
]

c.JupyterHub.load_roles = [
    # It asks with its own token which groups a user is in: that decides what the user may see.
    {"name": "catalogue", "services": ["catalogue"], "scopes": ["read:users:groups"]},
    # Sessions and people reach it with their own tokens, and only with this scope.
    {
        "name": "server",
        "scopes": [
            "users:activity!user",
            "access:servers!server",
            "access:services!service=catalogue",
        ],
    },
    {"name": "user", "scopes": ["self", "access:services!service=catalogue"]},
]

# Your identity provider goes here; every name it gives must be a Unix account on the cluster.
# There, add to the lists above with .append(…): assigning them anew would drop the catalogue.
if extra := os.environ.get("NEARFIELD_HUB_EXTRA"):
    load_subconfig(extra)  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it
