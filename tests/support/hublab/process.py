"""The hub and its proxy as processes of the unprivileged account jhub."""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from free_port import free_port
from hublab import stand_in
from hublab.client import HubClient
from hublab.kernels import execute
from hublab.site import SETTINGS, site_config

REPO = Path(__file__).resolve().parents[3]
HEAD = "10.99.0.1"  # the head node's address on the cluster's own network
HUB_USER = "jhub"
WENT_WELL = re.compile(r" JupyterHub log:\d+\] [23]\d\d ")


@dataclass
class HubProcess(HubClient):
    """The hub, its proxy and what a test asks of them."""

    cluster: Any
    folder: Path
    admin_token: str = field(default_factory=lambda: secrets.token_hex(24))
    proxy_token: str = field(default_factory=lambda: secrets.token_hex(24))
    ports: dict[str, int] = field(
        default_factory=lambda: {n: free_port() for n in ("public", "hub", "api", "catalogue")}
    )
    settings_file: Path = REPO / "hub_config/jupyterhub_config.py"
    up: tuple[str, ...] = ("/hub/api/", "/services/catalogue/health")
    """What answers once the hub is up."""
    born: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S"))
    hub: subprocess.Popen[bytes] | None = None
    proxy: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HEAD}:{self.ports['public']}"

    @property
    def venv(self) -> Path:
        """Where the hub runs from."""
        return Path(self.cluster.hub_venv)

    @property
    def log(self) -> Path:
        return self.folder / "hub.log"

    def prepare(self, config: dict[str, Any] | None = None, settings: str = SETTINGS) -> None:
        """An empty folder for the hub, and its configuration; the tests' own site unless told.

        ``{}`` leaves nearfield.yaml as it is: a launcher knows one, and another hub may use it.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        stand_in.install(self.cluster)
        (self.folder / "extra.py").write_text(settings)
        if config is None:
            config = site_config(self.cluster, self.folder, self.url)
        if config:
            self.config_file.parent.mkdir(parents=True, exist_ok=True)
            self.config_file.write_text(json.dumps(config, indent=1))  # JSON is YAML
            self.config_file.chmod(0o644)

    def hand_over(self) -> None:
        """The folder and what is in it become the hub's own."""
        entry = pwd.getpwnam(HUB_USER)
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def environment(self) -> dict[str, str]:
        venv = self.venv
        return {
            "PATH": f"{venv}/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "CONFIGPROXY_AUTH_TOKEN": self.proxy_token,
            "NEARFIELD_CONFIG": str(self.config_file),
            "NEARFIELD_STATE": str(self.folder),
            "NEARFIELD_PUBLIC": self.url,
            "NEARFIELD_HUB": f"http://{HEAD}:{self.ports['hub']}",
            "NEARFIELD_PROXY_API": f"http://127.0.0.1:{self.ports['api']}",
            "NEARFIELD_CATALOGUE_BIND": f"http://127.0.0.1:{self.ports['catalogue']}",
            "NEARFIELD_HUB_EXTRA": str(self.folder / "extra.py"),
            "NEARFIELD_TEST_ADMIN_TOKEN": self.admin_token,
        }

    @property
    def config_file(self) -> Path:
        return Path(self.cluster.site_venv) / "etc/nearfield/nearfield.yaml"

    def _start(self, argv: list[str], log: Path) -> subprocess.Popen[bytes]:
        entry = pwd.getpwnam(HUB_USER)
        with log.open("ab") as out:
            return subprocess.Popen(
                argv,
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                user=entry.pw_uid,
                group=entry.pw_gid,
                extra_groups=[],
                start_new_session=True,
            )

    def start_proxy(self) -> None:
        prefix = Path(self.cluster.site_venv).parent / "proxy"
        told = subprocess.run(
            [sys.executable, "-m", "nearfield.demo.proxy", str(prefix)],
            check=True,
            capture_output=True,
            text=True,
        )
        node, script = told.stdout.split()
        # jhub may not be able to reach the checkout's own node.
        own = prefix / "node"
        if not own.exists():
            shutil.copy(node, own)
        argv = [str(own), script, "--ip", HEAD, "--port", str(self.ports["public"])]
        argv += ["--api-ip", "127.0.0.1", "--api-port", str(self.ports["api"])]
        argv += ["--error-target", f"http://{HEAD}:{self.ports['hub']}/hub/error"]
        self.proxy = self._start(argv, self.folder / "proxy.log")

    def start(self) -> None:
        """Start the hub and wait until it and its services answer."""
        here = self.folder / "jupyterhub_config.py"
        shutil.copy(self.settings_file, here)  # the checkout may be out of jhub's reach
        python = self.venv / "bin/python"
        self.hub = self._start([str(python), "-m", "jupyterhub", "-f", str(here)], self.log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.hub.poll() is None, f"the hub ended:\n{self.tail()}"
            try:
                answers = [
                    httpx.get(f"{self.url}{path}", timeout=5).status_code for path in self.up
                ]
            except httpx.HTTPError:
                answers = [599]
            if all(code < 300 for code in answers):
                return
            time.sleep(0.1)
        raise AssertionError(f"the hub did not come up:\n{self.tail()}")

    def kill(self) -> None:
        """kill -9: the hub itself, and the service that it manages, die on the spot."""
        assert self.hub is not None
        os.killpg(self.hub.pid, signal.SIGKILL)
        self.hub.wait()
        # The service is a process group of its own; its loss is part of the fault.
        pid = self._catalogue_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def _catalogue_pid(self) -> int | None:
        """The service of this hub; another hub may run beside it."""
        uid = pwd.getpwnam(HUB_USER).pw_uid
        port = f":{self.ports['catalogue']}".encode()
        for entry in Path("/proc").iterdir():
            try:
                if (
                    entry.name.isdigit()
                    and entry.stat().st_uid == uid
                    and b"catalogue\0serve" in (entry / "cmdline").read_bytes()
                    and port in (entry / "environ").read_bytes()
                ):
                    return int(entry.name)
            except OSError:
                continue
        return None

    def stop(self) -> None:
        for process in (self.hub, self.proxy):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
        pid = self._catalogue_pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)

    def tail(self, lines: int = 60) -> str:
        """The end of the log without the requests that went well: a test asks for many."""
        said = self.log.read_text(errors="replace").splitlines()
        return "\n".join([line for line in said if not WENT_WELL.search(line)][-lines:])

    def execute(self, user: str, token: str, code: str, seconds: float = 60) -> str:
        return execute(self.url, user, token, code, seconds)
