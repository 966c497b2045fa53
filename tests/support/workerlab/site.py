"""Profiles that start worker jobs, in each way that a kernel can run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hublab.site import site_config

WORKERS: dict[str, dict[str, Any]] = {
    "inside": {"environment": "image", "workers": 4},
    "kernel": {"environment": "alone", "workers": 4},
    "venv": {"environment": "venv", "workers": 4},
    "single": {"environment": "image", "workers": 1},
    "none": {"environment": "image", "workers": 0},
    "spread": {"environment": "image", "workers": 4, "hardware": "half"},
}
"""Profiles: the server inside the image, a kernel alone in it with a user layer, no image; one
worker, none. Of ``spread`` two jobs fill a node: the session and a worker na1, two more na2."""


def workers_config(cluster: Any, folder: Path, url: str) -> dict[str, Any]:
    """The site of the other tests, with worker jobs on na1 and na2."""
    config = site_config(cluster, folder, url)
    venv = str(cluster.site_venv)
    image = config["environments"]["image"]
    alone = {key: value for key, value in image.items() if key != "command"}
    kernel = [f"{venv}/bin/python", "-m", "ipykernel_launcher"]
    config["runtime"] = {"venv": venv}
    config["environments"] |= {
        "alone": alone | {"server": "site", "kernel": kernel, "layer": True},
        "venv": {"venv": venv},
    }
    config["hardware"]["worker"] = {
        **{"cluster": "lab", "partition": "short", "constraint": "storage-a"},
        **{"cores": 2, "memory_mb": 2000, "minutes": 30},
    }
    config["hardware"]["half"] = config["hardware"]["worker"] | {"memory_mb": 250_000}
    config["profiles"] |= {name: {"hardware": "worker"} | given for name, given in WORKERS.items()}
    return config
