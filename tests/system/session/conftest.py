"""A real JupyterHub, as the unprivileged account jhub, with its proxy, on the real cluster."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import httpx
import pytest
import websocket

REPO = Path(__file__).resolve().parents[3]
HEAD = "10.99.0.1"  # the head node's address on the cluster's own network
HUB_USER = "jhub"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HEAD, 0))
        return int(sock.getsockname()[1])


@dataclass
class HubProcess:
    """The hub, its proxy and what a test asks of them."""

    cluster: Any
    folder: Path
    admin_token: str = field(default_factory=lambda: secrets.token_hex(24))
    proxy_token: str = field(default_factory=lambda: secrets.token_hex(24))
    ports: dict[str, int] = field(
        default_factory=lambda: {n: free_port() for n in ("public", "hub", "api", "catalogue")}
    )
    hub: subprocess.Popen[bytes] | None = None
    proxy: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HEAD}:{self.ports['public']}"

    @property
    def log(self) -> Path:
        return self.folder / "hub.log"

    def environment(self) -> dict[str, str]:
        venv = self.cluster.site_venv
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
        """Start the hub and wait until it and its catalogue service answer."""
        config = REPO / "hub_config/jupyterhub_config.py"
        here = self.folder / "jupyterhub_config.py"
        shutil.copy(config, here)  # the checkout may be out of jhub's reach
        python = Path(self.cluster.site_venv) / "bin/python"
        self.hub = self._start([str(python), "-m", "jupyterhub", "-f", str(here)], self.log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.hub.poll() is None, f"the hub ended:\n{self.tail()}"
            try:
                answers = [
                    httpx.get(f"{self.url}{path}", timeout=5).status_code
                    for path in ("/hub/api/", "/services/catalogue/health")
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
        uid = pwd.getpwnam(HUB_USER).pw_uid
        for entry in Path("/proc").iterdir():
            try:
                if (
                    entry.name.isdigit()
                    and entry.stat().st_uid == uid
                    and b"catalogue\0serve" in (entry / "cmdline").read_bytes()
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
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # ------------------------------------------------------------------ what tests ask

    def api(
        self, method: str, path: str, *, token: str | None = None, **kwargs: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"token {token or self.admin_token}"}
        return httpx.request(
            method, f"{self.url}/hub/api/{path}", headers=headers, timeout=60, **kwargs
        )

    def user_token(self, user: str) -> str:
        self.api("POST", f"users/{user}")
        answer = self.api("POST", f"users/{user}/tokens", json={"note": "test"})
        assert answer.status_code < 300, answer.text
        return str(answer.json()["token"])

    def server(self, user: str, name: str = "") -> dict[str, Any] | None:
        model = self.api("GET", f"users/{user}").json()  # 404 for who never came: no servers
        found: dict[str, Any] = model.get("servers", {})
        return found.get(name)

    def request_server(self, user: str, options: dict[str, Any]) -> httpx.Response:
        self.api("POST", f"users/{user}")
        return self.api("POST", f"users/{user}/server", json=options)

    def wait_ready(self, user: str, seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            server = self.server(user)
            assert server is not None, f"the server of {user} is gone:\n{self.tail()}"
            if server["ready"]:
                return server
            time.sleep(0.1)
        raise AssertionError(f"the server of {user} did not get ready:\n{self.tail()}")

    def stop_server(self, user: str, seconds: float = 60) -> None:
        assert self.api("DELETE", f"users/{user}/server").status_code in {202, 204}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.server(user) is None:
                return
            time.sleep(0.1)
        raise AssertionError(f"the server of {user} did not stop:\n{self.tail()}")

    def execute(self, user: str, token: str, code: str, seconds: float = 60) -> str:
        """Run ``code`` in a fresh kernel of the user's server; returns what it printed."""
        base = f"{self.url}/user/{user}/api/kernels"
        headers = {"Authorization": f"token {token}"}
        made = httpx.post(base, headers=headers, json={"name": "python3"}, timeout=30)
        assert made.status_code == 201, made.text
        kernel = made.json()["id"]
        socket_url = f"ws://{urlparse(base).netloc}/user/{user}/api/kernels/{kernel}/channels"
        channel = websocket.create_connection(
            socket_url, header=[f"Authorization: token {token}"], timeout=seconds
        )
        try:
            message = {
                "header": {
                    "msg_id": "m1",
                    "username": user,
                    "session": "s",
                    "msg_type": "execute_request",
                    "version": "5.3",
                },
                "parent_header": {},
                "metadata": {},
                "channel": "shell",
                "content": {
                    "code": code,
                    "silent": False,
                    "store_history": False,
                    "user_expressions": {},
                    "allow_stdin": False,
                    "stop_on_error": True,
                },
            }
            channel.send(json.dumps(message))
            printed = ""
            while True:
                heard = json.loads(channel.recv())
                if heard["parent_header"].get("msg_id") != "m1":
                    continue
                kind, content = heard["header"]["msg_type"], heard["content"]
                if kind == "stream":
                    printed += content["text"]
                elif kind == "error":
                    raise AssertionError("\n".join(content["traceback"]))
                elif kind == "status" and content["execution_state"] == "idle":
                    return printed
        finally:
            channel.close()
            httpx.delete(f"{base}/{kernel}", headers=headers, timeout=30)


EXTRA = """
import os
c.JupyterHub.authenticator_class = "null"
c.Authenticator.allow_all = True
c.JupyterHub.services.append(
    {"name": "test", "api_token": os.environ["NEARFIELD_TEST_ADMIN_TOKEN"]}
)
c.JupyterHub.load_roles.append(
    {"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "tokens",
     "access:servers", "access:services"]}
)
c.NearfieldSpawner.poll_interval = 2
c.JupyterHub.log_level = "INFO"
"""


def site_config(cluster: Any, hub: HubProcess) -> str:
    """nearfield.yaml as a site with this cluster would write it; JSON is YAML."""
    site = Path(cluster.site_venv).parent
    environment = {
        "title": "Test image",
        "image": str(cluster.image),
        "apptainer": str(cluster.apptainer),
        "server": [f"{cluster.site_venv}/bin/jupyterhub-singleuser"],
        "mounts": [{"source": "/usr"}, {"source": str(site)}],
    }
    hardware = {"cluster": "lab", "cores": 1, "memory_mb": 800, "minutes": 30}
    return json.dumps(
        {
            "catalogue": {
                "name": "lab",
                "path": str(hub.folder / "catalogue.sqlite"),
                "url": f"{hub.url}/services/catalogue",
            },
            "storages": {
                name: {
                    "prefix": str(cluster.data(name[-1])),
                    "places": [{"cluster": "lab", "constraint": name}],
                }
                for name in ("storage-a", "storage-b")
            },
            "clusters": {
                "lab": {
                    "scheduler": "slurm",
                    "submitter": "sudo",
                    "launcher": f"{cluster.site_venv}/bin/nearfield-launch",
                    "poll_seconds": 0.3,
                }
            },
            "environments": {"image": environment},
            "hardware": {
                "small": hardware | {"partition": "short", "constraint": "storage-a"},
                "late": hardware | {"partition": "short", "constraint": "storage-a", "cores": 4000},
            },
            "profiles": {
                "small": {"title": "Small", "environment": "image", "hardware": "small"},
                "late": {"title": "Too big", "environment": "image", "hardware": "late"},
                "chemists": {"environment": "image", "hardware": "small", "users": ["bob"]},
            },
            "launcher": {"group": "slurmlab"},
        },
        indent=1,
    )


MAKE_DATA = """
import sys
from pathlib import Path
from nearfield.sample_data import make_sample_data
folder = Path(sys.argv[1]); folder.mkdir(mode=0o700)
make_sample_data(folder)
"""


@pytest.fixture(scope="session")
def people_data(cluster: Any) -> dict[str, str]:
    """alice and bob each own a private folder of sample data on storage-a. Returns node paths."""
    made = {}
    for user in ("alice", "bob"):
        folder = Path(cluster.storage("a")) / f"session-{user}"
        shutil.rmtree(folder, ignore_errors=True)
        python = f"{cluster.site_venv}/bin/python"
        done = cluster.run_as(user, [python, "-c", MAKE_DATA, str(folder)])
        assert done.returncode == 0, done.stderr
        made[user] = f"{cluster.data('a')}/session-{user}"
    return made


@pytest.fixture(scope="session")
def hub(cluster: Any, people_data: dict[str, str]) -> Iterator[HubProcess]:
    """A running hub over a catalogue of both people's data."""
    folder = Path(cluster.dir) / "hub-test"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    entry = pwd.getpwnam(HUB_USER)
    process = HubProcess(cluster=cluster, folder=folder)
    process.config_file.parent.mkdir(parents=True, exist_ok=True)
    process.config_file.write_text(site_config(cluster, process))
    process.config_file.chmod(0o644)
    (folder / "extra.py").write_text(EXTRA)
    catalogue = folder / "catalogue.sqlite"
    for path in people_data.values():
        # Only a node has the storage: scan there, as an operator would.
        done = cluster.exec_on(
            "na1",
            [
                f"{cluster.site_venv}/bin/nearfield",
                "--config",
                str(process.config_file),
                "catalogue",
                "scan",
                path,
                "--catalogue",
                str(catalogue),
                "--json",
            ],
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for path in (folder, *folder.iterdir()):
        os.chown(path, entry.pw_uid, entry.pw_gid)
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
    """Each test starts and ends without servers and jobs."""
    yield
    if "hub" not in request.fixturenames:
        return
    hub: HubProcess = request.getfixturevalue("hub")
    if hub.hub is None or hub.hub.poll() is not None:
        hub.start()
    for user in ("alice", "bob"):
        if hub.server(user) is not None:
            hub.stop_server(user)
