"""JupyterHub with batchspawner 1.3 as its documentation sets it up: the other side of a benchmark.

JupyterHub loads every installed spawner, and ours takes batchspawner's route away: it is put
back. It lets every user run commands as the hub, so this hub exists for a benchmark only, on the
test cluster.
"""

import os

from batchspawner.api import BatchSpawnerAPIHandler
from jupyterhub.apihandlers import default_handlers

import nearfield_spawners  # noqa: F401 - now, not after the route is back

default_handlers.append((r"/api/batchspawner", BatchSpawnerAPIHandler))
c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it
c.JupyterHub.bind_url = os.environ["NEARFIELD_PUBLIC"]
c.JupyterHub.hub_bind_url = os.environ["NEARFIELD_HUB"]
c.JupyterHub.db_url = f"sqlite:///{os.environ['NEARFIELD_STATE']}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = os.environ["NEARFIELD_STATE"] + "/cookie_secret"
c.JupyterHub.authenticator_class = "null"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
c.ConfigurableHTTPProxy.api_url = os.environ["NEARFIELD_PROXY_API"]
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.services = [{"name": "test", "api_token": os.environ["NEARFIELD_TEST_ADMIN_TOKEN"]}]
c.JupyterHub.load_roles = [
    {
        "name": "test",
        "services": ["test"],
        "scopes": ["admin:users", "admin:servers", "tokens", "access:servers"],
    }
]
c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.SlurmSpawner.req_partition = "short"
c.SlurmSpawner.req_nprocs = "1"
c.SlurmSpawner.req_runtime = "0:30:00"
c.SlurmSpawner.req_srun = ""
c.SlurmSpawner.start_timeout = 120
c.Spawner.http_timeout = 120
c.Spawner.default_url = "/lab"
load_subconfig(os.environ["NEARFIELD_HUB_EXTRA"])  # type: ignore[name-defined]  # noqa: F821
