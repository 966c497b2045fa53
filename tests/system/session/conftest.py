"""A real JupyterHub, as the unprivileged account jhub, with its proxy, on the real cluster.

What it is made of is in ``tests/support/hublab``: profiles of the tests' site in ``site.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hublab.people import detector_stacks, make_data
from hublab.process import HubProcess
from hublab.running import leave_no_servers, running


@pytest.fixture(scope="session")
def people_data(cluster: Any) -> dict[str, str]:
    """alice and bob each own a private folder of sample data on storage-a. Returns node paths."""
    return make_data(cluster)


@pytest.fixture(scope="session")
def hub(cluster: Any, people_data: dict[str, str]) -> Iterator[HubProcess]:
    """A running hub over a catalogue of both people's data."""
    process = HubProcess(cluster=cluster, folder=Path(cluster.dir) / "hub-test")
    process.prepare()
    with running(process, people_data.values()):
        yield process


@pytest.fixture
def pids(hub: HubProcess) -> dict[str, str]:
    """One detector stack of each person."""
    return detector_stacks(hub)


@pytest.fixture(autouse=True)
def no_servers_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test ends without servers and jobs."""
    yield
    if "hub" in request.fixturenames:
        leave_no_servers(request.getfixturevalue("hub"))
