"""The service as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest


@pytest.mark.enable_socket
def test_serving_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/catalogue/",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}",
    }
    argv = [sys.executable, "-m", "nearfield", "catalogue", "serve"]
    with subprocess.Popen(
        [*argv, "--catalogue", str(tmp_path / "c.sqlite")],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        assert f"served at http://127.0.0.1:{port}/services/catalogue/" in line
        url = f"http://127.0.0.1:{port}/services/catalogue"
        assert httpx.get(f"{url}/health", trust_env=False).json() == {"status": "ok"}
        assert httpx.get(f"{url}/datasets", trust_env=False).status_code == 401
        server.send_signal(signal.SIGTERM)
        assert server.communicate(timeout=10)[1] == ""
        assert server.returncode == 0


def test_serving_outside_of_a_hub_is_explained(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = run("catalogue", "serve", "--catalogue", tmp_path / "c.sqlite", JUPYTERHUB_API_URL="")
    assert done.returncode == 3
    assert "JUPYTERHUB_API_URL" in done.stderr
