"""A hub machine without Slurm: lab through ssh to a submit host, lab2 through sudo, a port range.

The hub's nearfield.yaml and the launcher's differ in one thing, as on two machines: the hub's says
that lab's commands are nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hublab.people import make_data
from hublab.process import HubProcess
from hublab.running import leave_no_servers, running
from hublab.site import site_config
from hublab.submit_host import SubmitHost

PORTS = {"least": 20000, "most": 20039}


class SeparateHub(HubProcess):
    """Its nearfield.yaml is not the launcher's."""

    @property
    def config_file(self) -> Path:
        return self.folder / "nearfield.yaml"

    @property
    def launchers_file(self) -> Path:
        return Path(self.cluster.site_venv) / "etc/nearfield/nearfield.yaml"


def network_config(cluster: Any, hub: SeparateHub, host: SubmitHost) -> dict[str, Any]:
    """The site of the other tests, with two clusters and their networks."""
    config = site_config(cluster, hub.folder, hub.url)
    lab = {"scheduler": "slurm", "poll_seconds": 0.3, "ports": PORTS, "bind": "{node}"}
    config["clusters"] = {
        "lab": lab | {"submitter": "ssh", "ssh": host.settings},
        "lab2": {
            **{"scheduler": "slurm", "poll_seconds": 0.3, "conf": str(cluster.slurm_conf("lab2"))},
            **{"submitter": "sudo", "launcher": f"{cluster.site_venv}/bin/nearfield-launch"},
        },
    }
    there = {"cluster": "lab2", "partition": "short", "memory_mb": 100, "minutes": 30}
    config["hardware"] = config["hardware"] | {"there": there}
    profiles = config["profiles"]
    config["profiles"] = profiles | {"there": {"environment": "stand-in", "hardware": "there"}}
    addresses = (hub.url, hub.environment()["NEARFIELD_HUB"])
    config["launcher"] = {"group": "slurmlab", "hub_urls": list(addresses)}
    return config


@pytest.fixture(scope="module")
def submit_host(cluster: Any) -> Iterator[SubmitHost]:
    host = SubmitHost(Path("/var/lib/nearfield-pytest-ssh"), Path(cluster.site_venv))
    try:
        host.prepare()
        host.start()
        yield host
    finally:
        host.remove()


@pytest.fixture(scope="module")
def hub(cluster: Any, submit_host: SubmitHost) -> Iterator[SeparateHub]:
    process = SeparateHub(cluster=cluster, folder=Path(cluster.dir) / "hub-network")
    config = network_config(cluster, process, submit_host)
    kept = process.launchers_file.read_bytes() if process.launchers_file.exists() else None
    nowhere = config["clusters"] | {"lab": config["clusters"]["lab"] | {"bin": "/nosuch"}}
    process.prepare(config | {"clusters": nowhere})
    process.launchers_file.parent.mkdir(parents=True, exist_ok=True)
    process.launchers_file.write_text(json.dumps(config, indent=1))
    process.launchers_file.chmod(0o644)
    try:
        with running(process, [make_data(cluster)["alice"]]):
            yield process
    finally:
        if kept is not None:
            process.launchers_file.write_bytes(kept)


@pytest.fixture(autouse=True)
def no_servers_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test ends without servers."""
    yield
    if "hub" in request.fixturenames:
        leave_no_servers(request.getfixturevalue("hub"))
