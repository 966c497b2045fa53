"""The service as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from free_port import free_port


@pytest.mark.enable_socket
def test_serving_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
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


@pytest.mark.enable_socket
def test_a_facility_without_a_hub_serves_what_is_public(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "nearfield.yaml"
    config.write_text(
        "catalogue:\n  serve:\n    public: [panosc, oai]\n    url: https://data.test\n"
        "    admin_email: data@data.test\n"
    )
    env = {name: value for name, value in os.environ.items() if "JUPYTERHUB" not in name}
    argv = [sys.executable, "-m", "nearfield", "--config", str(config), "catalogue", "serve"]
    argv += ["--public-only", "--bind", f"127.0.0.1:{port}"]
    with subprocess.Popen(
        [*argv, "--catalogue", str(tmp_path / "c.sqlite")],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        assert "served at" in server.stderr.readline()
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/panosc/api/Datasets", trust_env=False).json() == []
        assert "Identify" in httpx.get(f"{url}/oai?verb=Identify", trust_env=False).text
        assert httpx.get(f"{url}/datasets", trust_env=False).status_code == 404
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=10) == 0
