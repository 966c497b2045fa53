"""docs/how-to/upgrade.md: from the last JupyterHub 5 to 6 and back, with a session running."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hublab.process import REPO, HubProcess


class Upgraded(HubProcess):
    """A hub whose software is switched between two starts."""

    here: Path

    @property
    def venv(self) -> Path:
        return self.here


@pytest.fixture
def before(cluster: Any) -> Path:
    """The last JupyterHub 5, as tests/run has it."""
    version = re.search(r"^hub5=(\S+)", (REPO / "tests/run").read_text(), re.M)
    assert version is not None
    tool = REPO / "tests/system/cluster/site-runtime"
    subprocess.run([str(tool), str(REPO), version[1]], check=True, capture_output=True)
    return Path(cluster.dir) / "site" / f"venv-{version[1]}"


@pytest.fixture
def switched(idle: Any, before: Path) -> Iterator[Upgraded]:
    hub = Upgraded(cluster=idle, folder=Path(idle.dir) / "hub-upgrade")
    hub.here = before
    hub.prepare()
    hub.hand_over()
    hub.start_proxy()
    try:
        yield hub
    finally:
        hub.stop()


def answers(hub: HubProcess) -> bool:
    """Does alice's server, through the proxy?"""
    headers = {"Authorization": f"token {hub.user_token('alice')}"}
    return httpx.get(f"{hub.url}/user/alice/api", headers=headers, timeout=10).is_success


def stop(hub: HubProcess) -> None:
    assert hub.hub is not None
    hub.hub.terminate()
    hub.hub.wait(30)


@pytest.mark.soak
def test_from_5_to_6_and_back_with_a_session_running(idle: Any, switched: Upgraded) -> None:
    hub = switched
    hub.start()
    assert hub.request_server("alice", {"profile": "stand-in"}).status_code in {201, 202}
    hub.wait_ready("alice")
    jobs = idle.squeue(user="alice")
    old, new = hub.here, Path(idle.site_venv)

    stop(hub)
    saved = hub.folder / "before.sqlite"
    shutil.copy2(hub.folder / "jupyterhub.sqlite", saved)
    database = f"sqlite:///{hub.folder}/jupyterhub.sqlite"
    upgrade = [str(new / "bin/jupyterhub"), "upgrade-db", "--db", database]
    path = {"PATH": f"{new}/bin:/usr/bin:/bin"}  # it starts alembic by its name
    assert (done := idle.run_as("jhub", upgrade, env=path)).returncode == 0, done.stderr
    hub.here = new
    hub.start()
    assert hub.api("GET", "").json()["version"].startswith("6.")
    assert hub.wait_ready("alice", 10)
    assert answers(hub)

    stop(hub)
    shutil.copy2(saved, hub.folder / "jupyterhub.sqlite")
    shutil.chown(hub.folder / "jupyterhub.sqlite", "jhub", "jhub")
    hub.here = old
    hub.start()
    assert hub.api("GET", "").json()["version"].startswith("5.")
    assert hub.wait_ready("alice", 10)
    assert answers(hub)
    assert idle.squeue(user="alice") == jobs
    hub.stop_server("alice")
