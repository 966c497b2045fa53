"""The nearfield.yaml and the JupyterHub settings of the tests' site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SETTINGS = """
import os
c.JupyterHub.authenticator_class = "null"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services.append(
    {"name": "test", "api_token": os.environ["NEARFIELD_TEST_ADMIN_TOKEN"]}
)
c.JupyterHub.load_roles.append(
    {"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:groups",
     "admin:servers", "tokens", "access:servers", "access:services", "read:metrics"]}
)
c.NearfieldSpawner.poll_interval = 2
c.JupyterHub.log_level = "INFO"
"""


def site_config(cluster: Any, folder: Path, url: str) -> dict[str, Any]:
    """nearfield.yaml as a site with this cluster would write it, for the hub at ``url``.

    ``folder`` is the hub's own. Tests add profiles of their own in ``PROFILES`` below.
    """
    site = Path(cluster.site_venv).parent
    return {
        "catalogue": {
            "name": "lab",
            "path": str(folder / "catalogue.sqlite"),
            "url": f"{url}/services/catalogue",
            "serve": {"writers": ["registrars"]},
        },
        "storages": {
            name: {
                "prefix": str(cluster.data(name[-1])),
                "places": [{"cluster": "lab", "constraint": name}],
            }
            for name in ("storage-a", "storage-b")
        },
        "clusters": {
            "lab": {
                "scheduler": "slurm",
                "submitter": "sudo",
                "launcher": f"{cluster.site_venv}/bin/nearfield-launch",
                "poll_seconds": 0.3,
                "idle_poll_seconds": 1,
            }
        },
        "environments": {
            "image": {
                "title": "Test image",
                "image": str(cluster.image),
                "apptainer": str(cluster.apptainer),
                "command": [f"{cluster.hub_venv}/bin/nearfield-singleuser"],
                "mounts": [{"source": "/usr"}, {"source": str(site)}],
            },
            "stand-in": {"title": "Answers, does nothing", "command": [f"{site}/stand-in-server"]},
            "unlucky": {"command": [f"{site}/unlucky-server"]},
            "no-image": {
                "image": "/etc/passwd",
                "apptainer": str(cluster.apptainer),
                "command": ["jupyterhub-singleuser"],
            },
            "hesitant": {"command": [f"{site}/hesitant-server"]},
        },
        "hardware": HARDWARE,
        "profiles": PROFILES,
        "sessions": {"named": True, "per_user": 100},
        "launcher": {"group": "slurmlab"},
    }


_SMALL = {"cluster": "lab", "cores": 1, "memory_mb": 800, "minutes": 30}
_NEAR_A = {**_SMALL, "partition": "short", "constraint": "storage-a"}
HARDWARE: dict[str, dict[str, Any]] = {
    "small": _NEAR_A,
    "late": {**_NEAR_A, "cores": 4000},
    # As many as wanted fit on the nodes; ``two-cores`` fill the partition small.
    "tiny": {**_SMALL, "partition": "short", "memory_mb": 100},
    "two-cores": {**_SMALL, "partition": "small", "cores": 2, "memory_mb": 100},
    "brief": {**_SMALL, "partition": "short", "memory_mb": 100, "minutes": 1},
    "preempted": {**_SMALL, "partition": "small", "cores": 2, "memory_mb": 100, "qos": "scavenge"},
}
PROFILES: dict[str, dict[str, Any]] = {
    "small": {"title": "Small", "environment": "image", "hardware": "small"},
    "late": {"title": "Too big", "environment": "image", "hardware": "late"},
    "chemists": {"environment": "image", "hardware": "small", "users": ["bob"]},
    "stand-in": {"environment": "stand-in", "hardware": "tiny"},
    "brief": {"environment": "stand-in", "hardware": "brief"},
    "preempted": {"environment": "stand-in", "hardware": "preempted"},
    "unlucky": {"environment": "unlucky", "hardware": "tiny"},
    "no-image": {"environment": "no-image", "hardware": "tiny"},
    "hesitant": {"environment": "hesitant", "hardware": "tiny"},
    "queued": {"environment": "stand-in", "hardware": "two-cores"},
}
