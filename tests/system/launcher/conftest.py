"""A launcher with its own configuration and sudo rule, and a hub that takes port reports."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from hublab.submit_host import SubmitHost
from nearfield.config import Config, SshConfig, parse_config
from nearfield.scheduler import JobSpec, wire
from nearfield.scheduler.sessions import session_spec
from nearfield.scheduler.slurm import SlurmScheduler
from nearfield.scheduler.ssh import Gateway, SshSubmitter
from nearfield.scheduler.submitters import SudoSubmitter

SUDOERS = Path("/etc/sudoers.d/nearfield-pytest")
TOKEN = "s3cret-of-the-session"

STANDIN = """
import http.server, json, os, urllib.parse
url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        found = {"env": dict(os.environ), "cwd": os.getcwd()}
        data = os.environ["NEARFIELD_DATA"]
        found["data"] = {
            os.path.relpath(os.path.join(at, name), data): open(os.path.join(at, name)).read()
            for at, _, names in os.walk(data) for name in names
        }
        self.wfile.write(json.dumps(found).encode())
    def log_message(self, *_):
        pass
http.server.HTTPServer((url.hostname, url.port), Handler).serve_forever()
"""


STAGES = "/hub/api/nearfield/stage"


@dataclass
class Hub:
    """Takes reports of ports and stages as JupyterHub does."""

    address: str
    status: int = 204
    reports: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    """Of ports."""
    stages: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                token = self.headers["Authorization"]
                if self.path == STAGES:
                    hub.stages.append((token, body))
                else:
                    hub.reports.append((self.path, token, body))
                self.send_response(hub.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((self.address, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def callback(self) -> str:
        return f"http://{self.address}:{self.server.server_port}/hub/api/nearfield/port"


@dataclass
class Site:
    """A launcher with a configuration of its own, so that nobody else's is touched."""

    cluster: Any
    dir: Path
    host: SubmitHost

    @property
    def launcher(self) -> Path:
        return self.dir / "venv/bin/nearfield-launch"

    @property
    def yaml(self) -> Path:
        return self.dir / "venv/etc/nearfield/nearfield.yaml"

    @property
    def sudo(self) -> Path:
        return self.dir / "sudo-of-the-hub"

    @property
    def config(self) -> Config:
        return parse_config(self.yaml.read_text())

    @property
    def ssh(self) -> Path:
        return self.dir / "ssh-of-the-hub"

    def scheduler(self, via: str = "sudo", **changes: Any) -> SlurmScheduler:
        """The hub's: by sudo on this host, or through ssh from a host without Slurm."""
        settings = self.config.clusters["lab"].model_copy(update=changes)
        if via == "ssh":
            away = self.submitter_by_ssh()
            nowhere = settings.model_copy(update={"bin": Path("/nosuch")})
            return SlurmScheduler("lab", nowhere, away, queries=away.queries)
        return SlurmScheduler("lab", settings, SudoSubmitter("lab", self.launcher, sudo=self.sudo))

    def submitter_by_ssh(self, **changes: Any) -> SshSubmitter:
        settings = SshConfig.model_validate(self.host.settings | changes)
        # ssh runs as jhub here, and this process as root.
        folder = Path(tempfile.mkdtemp(prefix="ssh-", dir=self.dir))
        shutil.chown(folder, "jhub", "jhub")
        return SshSubmitter("lab", Gateway(settings, ssh=str(self.ssh), folder=folder))

    def spec(self, profile: str = "standin", **more: Any) -> JobSpec:
        environment = {
            "JUPYTERHUB_API_TOKEN": TOKEN,
            "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1/user/alice/",
            "JUPYTERHUB_USER": "a $(id)\n'\"",
        }
        name = f"nearfield-{secrets.token_hex(8)}"
        given = {"name": name, "user": "alice", "environment": environment} | more
        return session_spec(self.config, profile_name=profile, **given)

    def ask(self, user: str, request: str | bytes) -> Any:
        """What the launcher answers to the hub that asks for ``user``."""
        done = subprocess.run(
            [str(self.sudo), "-n", "-u", user, "--", str(self.launcher)],
            input=request.encode() if isinstance(request, str) else request,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return wire.read_answer(done.stdout.decode())

    def log_of(self, name: str) -> str:
        folder = self.cluster.home("alice") / ".local/share/nearfield/sessions" / name
        return (folder / "log").read_text()


@pytest.fixture(scope="module")
def site(cluster: Any) -> Iterator[Site]:
    folder = Path("/var/lib/nearfield-pytest")
    shutil.rmtree(folder, ignore_errors=True)
    host = SubmitHost(Path("/var/lib/nearfield-pytest-ssh"), folder / "venv", people="ALL")
    site = Site(cluster, folder, host)
    umask = os.umask(0o022)
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", folder / "venv"], check=True)
    packages = next((folder / "venv/lib").glob("python3.*/site-packages"))
    theirs = next((cluster.site_venv / "lib").glob("python3.*/site-packages"))
    (packages / "site-of-the-cluster.pth").write_text(f"{theirs}\n")
    site.launcher.write_text(
        f"#!{folder}/venv/bin/python\nfrom nearfield.scheduler.launcher import main\nmain()\n"
    )
    for program in ("sudo", "ssh"):
        (folder / f"{program}-of-the-hub").write_text(
            "#!/bin/sh\n"
            f'exec setpriv --reuid=jhub --regid=jhub --init-groups -- /usr/bin/{program} "$@"\n'
        )
    (folder / "standin.py").write_text(STANDIN)
    (folder / "audit").touch()
    (folder / "audit").chmod(0o622)
    for program in (site.launcher, site.sudo, site.ssh):
        program.chmod(0o755)
    site.yaml.parent.mkdir(parents=True)
    site.yaml.write_text(yaml.safe_dump(configuration(site)))
    # ALL: the launcher itself must refuse root and system accounts, not sudo.
    SUDOERS.write_text(
        "Defaults:jhub env_reset, !setenv, !requiretty, !syslog, !pam_session\n"
        f'jhub ALL=(ALL) NOPASSWD:NOSETENV: {site.launcher} ""\n'
    )
    SUDOERS.chmod(0o440)
    try:
        host.prepare()
        os.umask(umask)
        host.start()
        yield site
    finally:
        host.remove()
        SUDOERS.unlink()
        shutil.rmtree(folder, ignore_errors=True)


def configuration(site: Site) -> dict[str, Any]:
    server = ["/usr/bin/python3", "-I", str(site.dir / "standin.py")]
    mounts = [{"source": "/usr"}, {"source": str(site.dir)}]
    return {
        "storages": {
            letter: {"prefix": str(site.cluster.data(letter)),
                     "places": [{"cluster": "lab", "constraint": f"storage-{letter}"}]}
            for letter in "ab"
        },
        "clusters": {
            "lab": {"scheduler": "slurm", "submitter": "sudo", "launcher": str(site.launcher)}
        },
        "environments": {
            "standin": {"command": server},
            "image": {"command": server, "image": str(site.cluster.image),
                      "apptainer": str(site.cluster.apptainer), "mounts": mounts},
            "no-image": {"command": server, "image": "/nosuch.sif"},
            "failing": {"command": ["/bin/sh", "-c", "echo the server says no >&2; exit 42"]},
        },
        "hardware": {
            "small": {"cluster": "lab", "partition": "short", "memory_mb": 300, "minutes": 5}
        },
        "profiles": {
            "standin": {"environment": "standin", "hardware": "small"},
            "image": {"environment": "image", "hardware": "small"},
            "no-image": {"environment": "no-image", "hardware": "small"},
            "failing": {"environment": "failing", "hardware": "small"},
            "closed": {"environment": "standin", "hardware": "small", "groups": ["nobody"]},
        },
        "launcher": {"group": "slurmlab", "audit_log": str(site.dir / "audit")},
    }  # fmt: skip


@pytest.fixture(params=["sudo", "ssh"])
def scheduler(site: Site, request: pytest.FixtureRequest) -> SlurmScheduler:
    """Each submitter in turn: what holds for one holds for the other."""
    return site.scheduler(request.param)


@pytest.fixture
def hub(cluster: Any) -> Iterator[Hub]:
    hub = Hub(cluster.head_address)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()
