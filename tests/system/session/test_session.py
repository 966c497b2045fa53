"""A session on the real thing: JupyterHub → Slurm → Apptainer, as alice, with bob next door."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system

LOOK = """
import glob, json, os, socket
out = {"user": os.environ.get("USER"), "uid": os.getuid(),
       "node": os.environ.get("SLURMD_NODENAME"),
       "container": os.environ.get("APPTAINER_CONTAINER"), "data": os.environ["NEARFIELD_DATA"]}
[root] = glob.glob("/data/*/*.nxs") or glob.glob("/data/*/*.h5")
import h5py
with h5py.File(root) as f:
    names = []
    def note(name, item):
        if len(getattr(item, "shape", ())) == 3:
            names.append([name, list(item.shape)])
    f.visititems(note)
    out["read"] = names
    out["sum"] = int(f[names[0][0]][...].sum(dtype="int64"))
real = os.path.realpath(root)
out["real"] = real
def refused(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__ + f" {error.errno}"
    return None
out["write"] = refused(lambda: open(real, "r+b"))
out["create"] = refused(lambda: open(os.path.join(os.path.dirname(real), "new"), "xb"))
out["remove"] = refused(lambda: os.remove(real))
out["bob"] = refused(lambda: os.listdir(BOB))
foreign = ("SUDO", "LD_PRELOAD", "PYTHONPATH", "CONFIGPROXY")
out["environ"] = sorted(k for k in os.environ if k.startswith(foreign))
print(json.dumps(out))
"""


def start(hub: Any, pid: str) -> dict[str, Any]:
    answer = hub.request_server("alice", {"profile": "small", "datasets": [pid]})
    assert answer.status_code in {201, 202}, answer.text + hub.tail()
    return hub.wait_ready("alice")


def test_reads_hers_cannot_write_it_cannot_read_bobs(
    cluster: Any, hub: Any, pids: dict[str, str], people_data: dict[str, str]
) -> None:
    start(hub, pids["alice"])
    assert len(cluster.alive("alice")) == 1
    token = hub.user_token("alice")
    seen = json.loads(hub.execute("alice", token, f"BOB = {people_data['bob']!r}\n{LOOK}"))
    assert seen["uid"] == 20001
    assert seen["node"] in {"na1", "na2"}, "storage-a is near na1 and na2"
    assert seen["container"], "the server does not run in Apptainer"
    assert seen["data"] == "/data"
    assert seen["real"].startswith(people_data["alice"])
    assert seen["sum"] > 0
    for action in ("write", "create", "remove"):
        assert seen[action] and seen[action].split()[1] in {"30", "13"}, (action, seen)
    assert seen["bob"] == "PermissionError 13"
    assert seen["environ"] == []

    hub.stop_server("alice")
    assert cluster.alive("alice") == set()


def test_survives_a_restart_of_the_hub(cluster: Any, hub: Any, pids: dict[str, str]) -> None:
    start(hub, pids["alice"])
    [job] = cluster.alive("alice")
    token = hub.user_token("alice")
    hub.kill()
    # The proxy is its own process: the session answers while the hub is away.
    hub.start()
    server = hub.wait_ready("alice")
    assert cluster.alive("alice") == {job}
    assert hub.execute("alice", token, "print(6 * 7)").strip() == "42"
    assert server["pending"] is None
    hub.stop_server("alice")
    assert cluster.alive("alice") == set()


def test_hub_killed_while_the_server_starts(cluster: Any, hub: Any, pids: dict[str, str]) -> None:
    """Killed right after the submit: the job is found again and becomes a server, or is ended."""
    answer = hub.api("POST", "users/alice")
    assert answer.status_code in {201, 409}
    with contextlib.suppress(httpx.TimeoutException):  # nobody waits for the answer
        httpx.post(
            f"{hub.url}/hub/api/users/alice/server",
            headers={"Authorization": f"token {hub.admin_token}"},
            json={"profile": "small", "datasets": [pids["alice"]]},
            timeout=0.8,
        )
    hub.kill()
    hub.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        server, jobs = hub.server("alice"), cluster.alive("alice")
        if (server and server["ready"] and len(jobs) == 1) or (not server and not jobs):
            return
        time.sleep(0.5)
    raise AssertionError(f"server {server}, jobs {jobs}:\n{hub.tail()}")


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"profile": "smal"}, 400, ["Did you mean 'small'"]),
        ({"profile": "chemists"}, 400, ["unknown profile", "small"]),
        ({"profile": "small", "datasets": ["no-such-pid"]}, 404, ["no-such-pid"]),
        ({"profile": "small", "runtime": "1\n#SBATCH --uid=0"}, 400, ["unknown option"]),
        ({"profile": "small\n#SBATCH --uid=0"}, 400, ["profile"]),
        ({"profile": "small", "datasets": "x"}, 400, ["datasets"]),
    ],
)
def test_refused_before_anything_is_submitted(
    cluster: Any, hub: Any, options: dict[str, Any], status: int, words: list[str]
) -> None:
    answer = hub.request_server("alice", options)
    assert answer.status_code == status, answer.text
    message = answer.json()["message"]
    assert all(word in message for word in words), message
    assert cluster.alive("alice") == set()


def test_bobs_dataset_is_refused_before_anything_is_submitted(
    cluster: Any, hub: Any, pids: dict[str, str]
) -> None:
    answer = hub.request_server("alice", {"profile": "small", "datasets": [pids["bob"]]})
    assert answer.status_code in {403, 404}, answer.text
    assert pids["bob"] in answer.json()["message"]
    assert cluster.alive("alice") == set()


def test_slurms_own_words_reach_the_user(cluster: Any, hub: Any) -> None:
    answer = hub.request_server("alice", {"profile": "late"})
    assert answer.status_code == 502, answer.text
    assert "More processors requested than permitted" in answer.json()["message"]


def test_batchspawners_route_is_gone_and_the_callback_takes_a_port_alone(
    hub: Any, pids: dict[str, str]
) -> None:
    start(hub, pids["alice"])
    token = hub.user_token("alice")
    server_token = hub.execute(
        "alice", token, "import os; print(os.environ['JUPYTERHUB_API_TOKEN'])"
    ).strip()
    assert hub.api("POST", "batchspawner", token=server_token, json={"port": 1}).status_code == 404
    before = hub.server("alice")
    for body in (
        {"ip": "10.0.0.1"},
        {"port": 8000, "ip": "x"},
        {"port": "8000"},
        {"port": 80},
        [],
        7,
    ):
        answer = hub.api("POST", "nearfield/port", token=server_token, json=body)
        assert answer.status_code == 400, (body, answer.text)
    # A running server's port cannot be moved, not even by its own token.
    moved = hub.api("POST", "nearfield/port", token=server_token, json={"port": 22222})
    assert moved.status_code == 409
    for stranger in (token, hub.user_token("bob"), hub.admin_token, "nonsense"):
        answer = hub.api("POST", "nearfield/port", token=stranger, json={"port": 22222})
        assert answer.status_code == 403, answer.text
    assert hub.server("alice")["url"] == before["url"]
    assert hub.execute("alice", token, "print(1)").strip() == "1"


def test_munge_away_loses_no_session_and_a_stop_is_made_up_for(
    cluster: Any, hub: Any, pids: dict[str, str]
) -> None:
    start(hub, pids["alice"])
    [job] = cluster.alive("alice")
    token = hub.user_token("alice")
    cluster.stop_daemon("munged")
    try:
        time.sleep(5)  # more than two polls of the hub
        assert hub.server("alice")["ready"], hub.tail()
        assert hub.execute("alice", token, "print(6 * 7)").strip() == "42"
        # Now the user stops it, and Slurm cannot be told.
        hub.api("DELETE", "users/alice/server")
        time.sleep(3)
    finally:
        cluster.start_daemon("munged")
    deadline = time.monotonic() + 45
    while job in cluster.alive("alice"):
        assert time.monotonic() < deadline, f"job {job} was forgotten:\n{hub.tail()}"
        time.sleep(0.5)


def test_a_stop_during_an_outage_is_made_up_for_by_the_next_hub(
    cluster: Any, hub: Any, pids: dict[str, str]
) -> None:
    start(hub, pids["alice"])
    [job] = cluster.alive("alice")
    cluster.stop_daemon("munged")
    try:
        hub.api("DELETE", "users/alice/server")
        deadline = time.monotonic() + 30
        while hub.server("alice") is not None:
            assert time.monotonic() < deadline, hub.tail()
            time.sleep(0.2)
        hub.kill()
    finally:
        cluster.start_daemon("munged")
    assert job in cluster.alive("alice"), "nobody could have cancelled it yet"
    hub.start()
    # Anybody's session makes the new hub look through what the old one left.
    hub.request_server("bob", {"profile": "nonsense"})
    deadline = time.monotonic() + 45
    while job in cluster.alive("alice"):
        assert time.monotonic() < deadline, f"job {job} was forgotten:\n{hub.tail()}"
        time.sleep(0.5)
