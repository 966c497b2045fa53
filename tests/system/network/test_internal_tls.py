"""JupyterHub's internal_ssl: hub, proxy and sessions speak TLS, and check who they speak to."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hublab.people import make_data
from hublab.process import HEAD, REPO, HubProcess
from hublab.running import running
from hublab.site import SETTINGS, site_config

pytestmark = pytest.mark.system

TLS = """
c.JupyterHub.internal_ssl = True
c.JupyterHub.internal_certs_location = "internal-ssl"
c.JupyterHub.trusted_alt_names = ["IP:10.99.0.1"]
"""


class TlsHub(HubProcess):
    """The hub of the other tests with internal_ssl, and a proxy that has its certificates."""

    @property
    def certificates(self) -> Path:
        return self.folder / "internal-ssl"

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "NEARFIELD_HUB": f"https://{HEAD}:{self.ports['hub']}",
            "NEARFIELD_PROXY_API": f"https://127.0.0.1:{self.ports['api']}",
        }

    def make_certificates(self) -> None:
        here = self.folder / "jupyterhub_config.py"
        shutil.copy(REPO / "hub_config/jupyterhub_config.py", here)
        python = str(Path(self.cluster.site_venv) / "bin/python")
        argv = [python, "-m", "jupyterhub", "--generate-certs", "-f", str(here)]
        assert self._start(argv, self.log).wait(60) == 0, self.tail()

    def start_proxy(self) -> None:
        self.make_certificates()
        prefix = Path(self.cluster.site_venv).parent / "proxy"
        command = [sys.executable, "-m", "nearfield.demo.proxy", str(prefix)]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        node, script = told.stdout.split()
        own = prefix / "node"
        if not own.exists():
            shutil.copy(node, own)
        argv = [str(own), script, "--ip", HEAD, "--port", str(self.ports["public"])]
        argv += ["--api-ip", "127.0.0.1", "--api-port", str(self.ports["api"])]
        argv += self.shipped_arguments()
        self.proxy = self._start(argv, self.folder / "proxy.log")

    def shipped_arguments(self) -> list[str]:
        """What hub_config's drop-in adds to the proxy's command, with this hub's folder."""
        text = (REPO / "hub_config/systemd/internal-tls.conf").read_text()
        text = text.replace("/var/lib/nearfield/internal-ssl", str(self.certificates))
        files = dict(re.findall(r"^LoadCredential=(\S+?):(\S+)$", text, re.M))
        words = text.replace("\\\n", " ").splitlines()[-1].split()
        first = next(n for n, word in enumerate(words) if "-ssl-" in word)
        return [files.get(w.removeprefix("${CREDENTIALS_DIRECTORY}/"), w) for w in words[first:]]

    def route(self, path: str, target: str) -> None:
        """Have the proxy send what is below ``path`` to ``target``, as after a stale route."""
        api = ssl.create_default_context(cafile=f"{self.certificates}/hub-ca_trust.crt")
        folder = self.certificates / "hub-internal"
        api.load_cert_chain(f"{folder}/hub-internal.crt", f"{folder}/hub-internal.key")
        answer = httpx.post(
            f"https://127.0.0.1:{self.ports['api']}/api/routes{path}",
            headers={"Authorization": f"token {self.proxy_token}"},
            json={"target": target},
            verify=api,
            timeout=10,
        )
        assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def hub(cluster: Any) -> Iterator[TlsHub]:
    process = TlsHub(cluster=cluster, folder=Path(cluster.dir) / "hub-tls")
    process.prepare(site_config(cluster, process.folder, process.url), SETTINGS + TLS)
    with running(process, [make_data(cluster)["alice"]]):
        yield process


@pytest.fixture(autouse=True)
def no_servers_left() -> None:
    """Here the tests share one session."""


@pytest.fixture(scope="module")
def session(hub: TlsHub) -> Iterator[tuple[str, int]]:
    """alice's session: node and port."""
    answer = hub.request_server("alice", {"profile": "small"})
    assert answer.status_code in {201, 202}, answer.text + hub.tail()
    hub.wait_ready("alice")
    token = hub.user_token("alice")
    code = (
        "import os; from urllib.parse import urlsplit; "
        "print(os.environ['SLURMD_NODENAME'], urlsplit(os.environ['JUPYTERHUB_SERVICE_URL']).port)"
    )
    node, port = hub.execute("alice", token, code).split()
    yield node, int(port)
    hub.stop_server("alice")


def test_the_session_answers_through_the_proxy(hub: TlsHub, session: tuple[str, int]) -> None:
    token = hub.user_token("alice")
    code = "import os; print(os.environ['JUPYTERHUB_API_URL'])"
    assert hub.execute("alice", token, code).startswith(f"https://{HEAD}:")
    answer = httpx.get(
        f"{hub.url}/services/catalogue/datasets",
        headers={"Authorization": f"token {token}"},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text  # the service asks the hub over TLS, too


def test_plain_http_and_strangers_get_nothing(
    cluster: Any, hub: TlsHub, session: tuple[str, int]
) -> None:
    node, port = session
    address = f"10.99.0.{10 + cluster.nodes.index(node) + 1}"
    assert refuses(http.client.HTTPConnection(address, port, timeout=10), "/user/alice/api")
    nobody = ssl.create_default_context()
    nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
    # Over TLS, but without a certificate of one's own.
    stranger = http.client.HTTPSConnection(address, port, timeout=10, context=nobody)
    assert refuses(stranger, "/user/alice/api")
    hubs = http.client.HTTPSConnection(HEAD, hub.ports["hub"], timeout=10, context=nobody)
    assert refuses(hubs, "/hub/api/")


def refuses(connection: http.client.HTTPConnection, path: str) -> bool:
    """Does the other side break off, without an answer?"""
    try:
        connection.request("GET", path)
        connection.getresponse().close()
    except (OSError, http.client.HTTPException):
        return True
    finally:
        connection.close()
    return False


def test_the_key_is_alices_alone(cluster: Any, hub: TlsHub, session: tuple[str, int]) -> None:
    sessions = cluster.home("alice") / ".local/share/nearfield/sessions"
    newest = max(sessions.iterdir(), key=lambda path: path.stat().st_mtime)
    for name in ("keyfile.pem", "certfile.pem", "client_ca.pem"):
        assert (newest / name).stat().st_mode & 0o777 == 0o600
    for argv in (["cat", str(newest / "keyfile.pem")], ["ls", str(newest)]):
        assert cluster.run_as("bob", argv).returncode != 0
    key = (newest / "keyfile.pem").read_text().splitlines()[1]
    shown = [
        cluster.run_as("alice", ["scontrol", "-d", "show", "job"]).stdout,
        cluster.exec_on(session[0], ["ps", "-eo", "args="]).stdout,
        hub.log.read_text(),
        (newest / "log").read_text(),
        (newest / "session.json").read_text(),
    ]
    assert all(key not in text for text in shown)
    names = subprocess.run(
        [
            "/usr/bin/openssl",
            "x509",
            "-noout",
            "-ext",
            "subjectAltName",
            "-in",
            newest / "certfile.pem",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"DNS:{session[0]}" in names
    assert HEAD not in names, "a session must not pass for the hub"
    assert "localhost" not in names


IMPOSTOR = """
import http.server, os, ssl, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("CAUGHT", self.headers.get("Cookie"), flush=True)
        self.send_response(200); self.end_headers(); self.wfile.write(b"impostor")
server = http.server.HTTPServer(("0.0.0.0", 30200), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("up", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
"""


def test_bobs_own_certificate_is_not_taken(cluster: Any, hub: TlsHub) -> None:
    """The proxy is sent to a port where bob sits, with a certificate that he made for the node."""
    home = cluster.home("bob")
    made = cluster.run_as(
        "bob",
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=na1", "-addext", "subjectAltName=DNS:na1"),
            *("-keyout", str(home / "own.key"), "-out", str(home / "own.crt")),
        ],
    )
    assert made.returncode == 0, made.stderr
    argv = [str(cluster.tool), "exec", "na1", "setpriv", "--reuid=bob", "--regid=slurmlab"]
    argv += ["--clear-groups", "/usr/bin/python3", "-I", "-c", IMPOSTOR]
    argv += [str(home / "own.crt"), str(home / "own.key")]
    bob = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert bob.stdout is not None
        assert bob.stdout.readline() == "up\n"
        hub.route("/user/stale", "https://na1:30200")
        answer = httpx.get(f"{hub.url}/user/stale/", headers={"Cookie": "secret=1"}, timeout=20)
        assert answer.status_code >= 500, answer.text
        assert "impostor" not in answer.text
    finally:
        caught = bob.communicate(timeout=10)[0]
    assert "CAUGHT" not in caught


def test_a_restart_of_the_hub_keeps_the_session(hub: TlsHub, session: tuple[str, int]) -> None:
    token = hub.user_token("alice")
    hub.kill()
    hub.start()
    assert hub.wait_ready("alice")
    end = time.monotonic() + 20
    while True:
        answer = httpx.get(
            f"{hub.url}/user/alice/api", headers={"Authorization": f"token {token}"}, timeout=20
        )
        if answer.status_code == 200:
            break
        assert time.monotonic() < end, answer.text
        time.sleep(0.2)
    assert "version" in json.loads(answer.text)
