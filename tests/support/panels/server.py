"""A Jupyter server of its own, without a hub: for what needs no cluster."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from free_port import free_port


@dataclass
class LabServer:
    """A running one."""

    url: str
    token: str
    log: Path
    config: Path

    @property
    def page(self) -> str:
        """JupyterLab without what was open there before."""
        return f"{self.url}/lab?token={self.token}&reset"

    def use(self, config: Mapping[str, Any]) -> None:
        """Another nearfield.yaml; the next question is asked of what it says."""
        new = self.config.with_suffix(".new")
        new.write_text(json.dumps(config))  # JSON is YAML
        new.replace(self.config)


@contextmanager
def lab_server(
    folder: Path, config: Mapping[str, Any], *, extension: bool = True
) -> Iterator[LabServer]:
    """JupyterLab over the catalogues of ``config``; without ``extension`` the panel alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "files").mkdir(exist_ok=True)
    port = free_port()
    server = LabServer(
        f"http://127.0.0.1:{port}",
        secrets.token_hex(16),
        folder / "server.log",
        folder / "nearfield.yaml",
    )
    server.use(config)
    settings = {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": port,
            "port_retries": 0,
            "open_browser": False,
            "allow_root": True,
            "root_dir": str(folder / "files"),
            "jpserver_extensions": {"nearfield_server": extension},
        },
        "IdentityProvider": {"token": server.token},
        "LabApp": {"expose_app_in_browser": True},
    }
    # Otherwise JupyterLab asks whether it may fetch news, over a corner of the page.
    quiet = folder / "lab-settings/@jupyterlab/apputils-extension"
    quiet.mkdir(parents=True, exist_ok=True)
    (quiet / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    (folder / "jupyter_server_config.json").write_text(json.dumps(settings))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "JUPYTER_CONFIG_DIR": str(folder),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "lab-workspaces"),
        "NEARFIELD_HOME": str(folder / "nearfield"),
        "NEARFIELD_CONFIG": str(server.config),
    }
    with server.log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(server, process)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(server: LabServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, server.log.read_text()
        try:
            if httpx.get(f"{server.url}/api?token={server.token}", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the server did not come up:\n{server.log.read_text()}")
