"""A real JupyterHub, as the unprivileged account jhub, with its proxy, on the real cluster.

What it is made of is in ``tests/support/hublab``: profiles of the tests' site in ``site.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hublab.people import make_data, scan
from hublab.process import HubProcess


@pytest.fixture(scope="session")
def people_data(cluster: Any) -> dict[str, str]:
    """alice and bob each own a private folder of sample data on storage-a. Returns node paths."""
    return make_data(cluster)


@pytest.fixture(scope="session")
def hub(cluster: Any, people_data: dict[str, str]) -> Iterator[HubProcess]:
    """A running hub over a catalogue of both people's data."""
    process = HubProcess(cluster=cluster, folder=Path(cluster.dir) / "hub-test")
    process.prepare()
    for path in people_data.values():
        scan(cluster, process.config_file, path, process.folder / "catalogue.sqlite")
    process.hand_over()
    process.start_proxy()
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture
def pids(hub: HubProcess) -> dict[str, str]:
    """One detector stack of each person, found as its owner."""
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


@pytest.fixture(autouse=True)
def no_servers_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test ends without servers and jobs."""
    yield
    if "hub" not in request.fixturenames:
        return
    hub: HubProcess = request.getfixturevalue("hub")
    if hub.hub is None or hub.hub.poll() is not None:
        hub.start()
    for user in ("alice", "bob", "carol"):
        for name in hub.servers(user):
            hub.stop_server(user, name=name)
