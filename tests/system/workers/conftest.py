"""A hub whose profiles allow worker jobs, on the real cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hublab.process import HubProcess
from hublab.running import leave_no_servers, running
from workerlab.ends import NODES
from workerlab.site import workers_config


@pytest.fixture(scope="session")
def hub(cluster: Any) -> Iterator[HubProcess]:
    """A running hub with the profiles of ``workerlab.site``."""
    process = HubProcess(cluster=cluster, folder=Path(cluster.dir) / "hub-workers")
    process.prepare(workers_config(cluster, process.folder, process.url))
    with running(process):
        yield process


@pytest.fixture
def idle(idle: Any) -> Any:
    """Without what a job that was killed may have left in the scratch of its node."""
    for node in NODES:
        idle.exec_on(node, ["sh", "-c", "rm -rf /tmp/nearfield-*"])
    return idle


@pytest.fixture
def in_session(hub: HubProcess) -> Iterator[Callable[..., str]]:
    """``in_session(profile, code)``: what the code prints in a kernel of alice's.

    Her session is started with the first code of a test for a profile and stays for the next.
    """
    started: set[str] = set()

    def execute(profile: str, code: str, seconds: float = 60) -> str:
        if profile not in started:
            answer = hub.request_server("alice", {"profile": profile}, name=profile)
            assert answer.status_code in {201, 202}, answer.text + hub.tail()
            hub.wait_ready("alice", name=profile)
            started.add(profile)
        return hub.execute(f"alice/{profile}", str(hub.user_token("alice")), code, seconds)

    yield execute
    leave_no_servers(hub)
