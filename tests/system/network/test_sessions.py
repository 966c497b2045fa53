"""Sessions of a hub machine without Slurm, and what becomes of them while a cluster is away."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

pytestmark = pytest.mark.system


def start(hub: Any, profile: str, name: str = "") -> dict[str, Any]:
    answer = hub.request_server("alice", {"profile": profile}, name)
    assert answer.status_code in {201, 202}, answer.text + hub.tail()
    found: dict[str, Any] = hub.wait_ready("alice", name=name)
    return found


def test_a_whole_session_through_the_submit_host(cluster: Any, hub: Any) -> None:
    start(hub, "small")
    [job] = cluster.alive("alice")
    token = hub.user_token("alice")
    code = "import os; print(os.getuid(), os.environ['JUPYTERHUB_SERVICE_URL'])"
    seen = hub.execute("alice", token, code)
    uid, url = seen.split()
    parts = urlsplit(url)
    assert uid == "20001"
    assert 20000 <= (parts.port or 0) <= 20039
    assert str(parts.hostname).startswith("10.99.0."), "bind: {node} is the node's own address"
    hub.stop_server("alice")
    assert job not in cluster.alive("alice")


def test_a_submit_host_that_is_down(cluster: Any, hub: Any, submit_host: Any) -> None:
    start(hub, "stand-in")
    [job] = cluster.alive("alice")
    submit_host.stop()
    try:
        time.sleep(3)  # more than one poll
        assert hub.server("alice")["ready"], hub.tail()
        refused = hub.request_server("alice", {"profile": "stand-in"}, "second")
        assert refused.status_code == 503, refused.text
        assert "no connection to the submit host" in refused.json()["message"]
        hub.api("DELETE", "users/alice/server")
        hub.wait_gone("alice")
        assert job in cluster.alive("alice"), "nobody could have cancelled it yet"
    finally:
        submit_host.start()
    deadline = time.monotonic() + 30
    while job in cluster.alive("alice"):
        assert time.monotonic() < deadline, f"job {job} was forgotten:\n{hub.tail()}"
        time.sleep(0.3)


@pytest.mark.soak  # 150 s: Slurm's own commands try for long
def test_one_of_two_clusters_is_down(cluster: Any, hub: Any) -> None:
    start(hub, "there", "far")
    [job] = cluster.alive("alice", "lab2")
    token = hub.user_token("alice")
    cluster.stop_daemon("slurmctld2")
    try:
        # The other one does not notice.
        start(hub, "stand-in")
        hub.stop_server("alice")
        refused = hub.request_server("alice", {"profile": "there"}, "farther", timeout=30)
        assert refused.status_code in {202, 503}, "201 would be a start that went well"
        if refused.status_code == 202:
            # sbatch itself tries for longer than JupyterHub waits with its answer.
            hub.wait_gone("alice", name="farther")
        assert "Unable to contact" in refused.text + hub.tail(200)
        shown = hub.api("GET", "nearfield/availability", token=token).json()["clusters"]
        assert shown["lab"]["answers"], shown
        assert not shown["lab2"]["answers"], shown
        assert shown["lab2"]["message"], shown
        # A hub that comes back meanwhile loses nothing.
        hub.kill()
        hub.start()
        assert hub.wait_ready("alice", name="far")
    finally:
        cluster.start_daemon("slurmctld2")
    end = time.monotonic() + 20
    while cluster.alive("alice", "lab2") != {job}:
        assert time.monotonic() < end, hub.tail()
        time.sleep(0.2)
    assert hub.server("alice", "far")["ready"]
    hub.stop_server("alice", name="far")
    assert cluster.alive("alice", "lab2") == set()


HOLDER = """
import json, select, socket, sys
address, least, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
held = []
for port in range(least, most):
    held.append(socket.create_server((address, port)))
print("held", flush=True)
got = 0
while True:
    ready, _, _ = select.select([*held, sys.stdin], [], [])
    if sys.stdin in ready:
        break
    for sock in ready:
        peer, _ = sock.accept()
        got += 1
print(json.dumps(got))
"""


def test_ports_that_another_user_holds_are_left_alone(cluster: Any, hub: Any) -> None:
    """bob listens on all ports of the range but the last, on every node that alice may get."""
    tool = str(cluster.tool)
    nodes = ("na1", "na2", "nb1")
    bobs = []
    for node in nodes:
        argv = [tool, "exec", node, "setpriv", "--reuid=bob", "--regid=slurmlab", "--clear-groups"]
        argv += ["/usr/bin/python3", "-I", "-c", HOLDER, "0.0.0.0", "20000", "20039"]
        bobs.append(
            subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
    try:
        for bob in bobs:
            assert bob.stdout is not None
            assert bob.stdout.readline() == "held\n"
        start(hub, "stand-in")
        for _ in range(3):
            token = hub.user_token("alice")
            answer = httpx.get(
                f"{hub.url}/user/alice/api", headers={"Authorization": f"token {token}"}, timeout=20
            )
            assert answer.json() == {"version": "stand-in"}
        hub.stop_server("alice")
    finally:
        counts = [json.loads(bob.communicate("\n", timeout=20)[0] or "-1") for bob in bobs]
    assert counts == [0, 0, 0], "bob was sent somebody's requests"
