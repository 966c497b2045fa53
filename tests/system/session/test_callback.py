"""What a job may tell the hub: the port of its own server, and nothing else.

batchspawner takes any attribute of the spawner from whoever has a user's server token, and so
runs commands as the hub. Here every name that a spawner has is tried.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyterhub.spawner import Spawner

from hublab.ledger import Row, look
from nearfield_spawners import NearfieldSpawner

pytestmark = pytest.mark.system

WAITING = "waits"


def names_of_a_spawner() -> list[str]:
    """Every attribute and trait of the class, and what its code sets on itself."""
    found = set(dir(NearfieldSpawner)) | set(NearfieldSpawner.class_trait_names())
    for kind in NearfieldSpawner.__mro__:
        for method in vars(kind).values():
            code = getattr(method, "__code__", None)
            if code is not None and kind is not object:
                found |= set(code.co_names)
    assert {"batch_query_cmd", "cmd", "ip", "job_id", "_plan", "job_name", "user"} <= found
    assert issubclass(NearfieldSpawner, Spawner)
    return sorted(found - {"port"})


def wait_pending(cluster: Any, hub: Any, user: str, name: str) -> Row:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        book = look(hub)
        row = book.row(user, name)
        job = book.alive.get(row.job_name) if row else None
        if row and job and job.state == "PENDING" and row.number:
            return row
        time.sleep(0.2)
    raise AssertionError(hub.tail())


@pytest.fixture
def waiting(idle: Any, hub: Any) -> tuple[Row, str]:
    """alice's server, in the queue behind carol's, and the token that it will report with."""
    hub.request_server("carol", {"profile": "queued"}, "first")
    hub.wait_ready("carol", name="first")
    hub.ask_for_server("alice", {"profile": "queued"}, WAITING)
    row = wait_pending(idle, hub, "alice", WAITING)
    folder = idle.home("alice") / ".local/share/nearfield/sessions" / row.job_name
    token = json.loads((folder / "environment.json").read_text())["JUPYTERHUB_API_TOKEN"]
    return row, token


def steady(model: dict[str, Any]) -> dict[str, Any]:
    """All but what time alone changes: activity, and how the wait in the queue is told."""
    state = {k: v for k, v in model["state"].items() if k != "stages"}
    rest = {k: v for k, v in model.items() if k not in {"last_activity", "progress_url"}}
    return rest | {"state": state}


def test_no_other_attribute_is_taken_and_nothing_changes(
    hub: Any, waiting: tuple[Row, str]
) -> None:
    row, token = waiting
    state = (hub.folder / "jupyterhub.sqlite", look(hub).rows)
    model = hub.server("alice", WAITING)
    headers = {"Authorization": f"token {token}"}
    with httpx.Client(base_url=f"{hub.url}/hub/api/", headers=headers) as client:
        for name in names_of_a_spawner():
            for body in ({name: "/bin/id"}, {"port": 23456, name: "/bin/id"}):
                answer = client.post("nearfield/port", json=body)
                assert answer.status_code == 400, (body, answer.text)
    for odd in ({}, {"port": None}, {"port": True}, {"port": 1023}, {"port": 65536}, {"port": 2e4}):
        answer = hub.api("POST", "nearfield/port", token=token, json=odd)
        assert answer.status_code == 400, (odd, answer.text)
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = hub.api(method, "nearfield/port", token=token)
        assert answer.status_code in {404, 405}, (method, answer.text)
    assert look(hub).rows == state[1]
    assert steady(hub.server("alice", WAITING)) == steady(model)
    assert look(hub).alive[row.job_name].state == "PENDING"


def test_batchspawners_route_is_gone(hub: Any, waiting: tuple[Row, str]) -> None:
    for token in (waiting[1], hub.admin_token):
        for method in ("POST", "GET"):
            body = {"batch_query_cmd": "id"}
            answer = hub.api(method, "batchspawner", token=token, json=body)
            assert answer.status_code == 404


def test_the_token_of_another_server_is_refused(
    idle: Any, hub: Any, waiting: tuple[Row, str]
) -> None:
    strangers = {"alice herself": hub.user_token("alice"), "bob": hub.user_token("bob")}
    strangers |= {"a service": hub.admin_token, "nobody": "0" * 32}
    for user in ("alice", "bob"):
        hub.request_server(user, {"profile": "stand-in"}, "other")
        hub.wait_ready(user, name="other")
        strangers[f"{user}'s other server"] = server_token(user, look(hub).row(user, "other"))
    for who, token in strangers.items():
        answer = hub.api("POST", "nearfield/port", token=token, json={"port": 23456})
        # A running server's own token is known, but its port is not to be moved.
        expected = 409 if who.endswith("other server") else 403
        assert answer.status_code == expected, (who, answer.text)
    row = look(hub).row("alice", WAITING)
    assert row == waiting[0]


def server_token(user: str, row: Row | None) -> str:
    """As root: the token of a server is in its process alone."""
    assert row is not None
    for entry in Path("/proc").iterdir():
        try:
            found = dict(
                pair.split("=", 1)
                for pair in (entry / "environ").read_text().split("\0")
                if "=" in pair
            )
        except (OSError, UnicodeDecodeError):
            continue
        if found.get("NEARFIELD_JOB") == row.job_name and "JUPYTERHUB_API_TOKEN" in found:
            return found["JUPYTERHUB_API_TOKEN"]
    raise AssertionError(f"no process of {user}'s {row}")


LISTENER = """exec /usr/bin/python3 -IS - <<'END'
import socket
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("0.0.0.0", {port}))
server.listen(64)
print("listening", flush=True)
while True:
    peer, address = server.accept()
    peer.settimeout(2)
    print("caught", address, peer.recv(65536), flush=True)
END
"""


def test_who_binds_the_port_first_gets_no_request(idle: Any, hub: Any) -> None:
    """bob, on the same node, takes the port that alice's server has chosen and not yet opened."""
    hub.ask_for_server("alice", {"profile": "hesitant"}, "slow")
    deadline = time.monotonic() + 30
    while not ((row := look(hub).row("alice", "slow")) and (port := told_port(idle, row))):
        assert time.monotonic() < deadline, hub.tail()
        time.sleep(0.1)
    node = look(hub).alive[row.job_name].host
    thief = idle.sbatch("bob", "-w", node, "--mem=50", script=LISTENER.format(port=port))
    while "listening" not in output_so_far(idle, "bob", thief):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (session(idle, row) / "go").touch()
    hub.wait_ready("alice", name="slow")
    [target] = [t for path, t in look(hub).routes.items() if path.startswith("/user/alice/slow")]
    assert target.startswith(f"http://{node}:") or target.startswith("http://10.99.0.")
    assert not target.endswith(f":{port}")
    assert "caught" not in output_so_far(idle, "bob", thief)


def session(cluster: Any, row: Row) -> Path:
    return Path(cluster.home("alice") / ".local/share/nearfield/sessions" / row.job_name)


def told_port(cluster: Any, row: Row) -> int:
    told = session(cluster, row) / "chosen-port"
    return int(told.read_text() or 0) if row.job_name and told.exists() else 0


def output_so_far(cluster: Any, user: str, job: str) -> str:
    path = cluster.home(user) / f"slurm-{job}.out"
    return path.read_text() if path.exists() else ""
