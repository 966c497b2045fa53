"""The people of the tests; alice's and bob's private sample data, and the catalogue of both."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx

from hublab.client import HubClient

PEOPLE = ("alice", "bob", "carol")

_MAKE = """
import sys
from pathlib import Path
from nearfield.sample_data import make_sample_data
folder = Path(sys.argv[1]); folder.mkdir(mode=0o700)
make_sample_data(folder)
"""


def make_data(cluster: Any) -> dict[str, str]:
    """A private folder of sample data for each of them. Returns the paths on the nodes."""
    made = {}
    for user in ("alice", "bob"):
        folder = Path(cluster.storage("a")) / f"session-{user}"
        shutil.rmtree(folder, ignore_errors=True)
        python = f"{cluster.site_venv}/bin/python"
        done = cluster.run_as(user, [python, "-c", _MAKE, str(folder)])
        assert done.returncode == 0, done.stderr
        made[user] = f"{cluster.data('a')}/session-{user}"
    return made


def scan(cluster: Any, config_file: Path, path: str, catalogue: Path) -> None:
    """Only a node has the storage: scan there, as an operator would."""
    nearfield = f"{cluster.site_venv}/bin/nearfield"
    argv = [nearfield, "--config", str(config_file), "catalogue", "scan", path]
    done = cluster.exec_on("na1", [*argv, "--catalogue", str(catalogue), "--json"])
    assert done.returncode == 0, done.stdout + done.stderr


def detector_stacks(hub: HubClient) -> dict[str, str]:
    """The PID of one detector stack of alice's and one of bob's, found as its owner."""
    found = {}
    for user in ("alice", "bob"):
        answer = httpx.get(
            f"{hub.url}/services/catalogue/datasets",
            params={"text": "detector stack"},
            headers={"Authorization": f"token {hub.user_token(user)}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == 1, answer.text
        found[user] = answer.json()["datasets"][0]["pid"]
    return found
