"""Sessions land next to their data, on the real cluster; and what the page is told beforehand."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from hublab.ledger import ALIVE

pytestmark = pytest.mark.system

MAKE = """
import os, sys
import h5py, numpy
folder, title, size, seen_as = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
os.makedirs(f"{folder}/{title}", mode=0o700, exist_ok=True)
with h5py.File(f"{folder}/{title}/{title}.nxs", "w") as f:
    entry = f.create_group("entry")
    entry.attrs["NX_class"] = "NXentry"
    entry["title"] = title
    entry["definition"] = "NXsas"
    entry["data"] = numpy.zeros(size, "u1")
    if title == "virtual-in-a":
        # Sources in another folder of the storage, named as the nodes see them.
        parts = [f"{folder}-parts/{n}.h5" for n in range(3)]
        os.makedirs(f"{folder}-parts", mode=0o700, exist_ok=True)
        layout = h5py.VirtualLayout((3, 4), "i4")
        for n, part in enumerate(parts):
            with h5py.File(part, "w") as source:
                source["x"] = numpy.full(4, n + 1, "i4")
            layout[n] = h5py.VirtualSource(f"{seen_as}-parts/{n}.h5", "x", (4,))
        entry.create_virtual_dataset("frames", layout, fillvalue=-1)
        entry["link"] = h5py.ExternalLink(f"{seen_as}-parts/2.h5", "/x")
"""
PROFILES = {
    "anywhere": {"environment": "image", "hardware": ["roam", "gpu"]},
    "gpu": {"environment": "image", "hardware": "gpu"},
}
HARDWARE = {
    "roam": {
        "cluster": "lab",
        "memory_mb": 500,
        "minutes": 10,
        "partition": "short",
        "choices": {"cores": {"least": 1, "most": 4}},
    },
    "gpu": {"cluster": "lab", "partition": "small", "memory_mb": 500, "minutes": 10},
}


@pytest.fixture(scope="module")
def placed(cluster: Any, hub: Any) -> Iterator[dict[str, str]]:
    """Title → PID of datasets of alice's and bob's in both storages; profiles that roam."""
    before = hub.config_file.read_text()
    config = json.loads(before)
    config["profiles"] |= PROFILES
    config["hardware"] |= HARDWARE
    # The one storage that the hub's host has too: there the launcher can tell yes from no.
    shared = cluster.site_venv.parent / "shared-data"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o1777)
    config["storages"]["shared"] = {"prefix": str(shared)}
    hub.config_file.write_text(json.dumps(config))
    made = []
    python = f"{cluster.site_venv}/bin/python"
    plan = [("alice", "a", "small-in-a", 2000), ("alice", "b", "large-in-b", 50_000)]
    plan += [("alice", "a", "virtual-in-a", 10), ("bob", "b", "bobs-in-b", 1000)]
    plan.append(("bob", "shared", "bobs-shared", 1000))
    for user, letter, title, size in plan:
        everywhere = letter == "shared"
        folder = (shared if everywhere else cluster.storage(letter)) / f"placed-{user}"
        seen_as = str(folder) if everywhere else f"{cluster.data(letter)}/placed-{user}"
        made += [folder, Path(f"{folder}-parts")]
        done = cluster.run_as(user, [python, "-c", MAKE, str(folder), title, str(size), seen_as])
        assert done.returncode == 0, done.stderr
        argv = [f"{cluster.site_venv}/bin/nearfield", "--config", str(hub.config_file)]
        argv += ["catalogue", "scan", f"{seen_as}/{title}"]
        argv += ["--catalogue", str(hub.folder / "catalogue.sqlite")]
        # bob's record is public, his file is not: the file system is the only truth.
        argv += ["--public"] if user == "bob" else []
        done = cluster.exec_on("na1" if letter == "a" else "nb1", argv)
        assert done.returncode == 0, done.stdout + done.stderr
    for path in hub.folder.glob("catalogue.sqlite*"):
        shutil.chown(path, "jhub", "jhub")
    found = datasets(hub, "alice")
    yield {title: pid for title, pid in found.items() if title in {p[2] for p in plan}}
    hub.config_file.write_text(before)
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def ask(hub: Any, user: str, path: str, **options: Any) -> Any:
    method = "POST" if "json" in options else "GET"
    answer = hub.api(method, f"nearfield/{path}", token=hub.user_token(user), **options)
    assert answer.status_code == 200, answer.text + hub.tail()
    return answer.json()


def datasets(hub: Any, user: str) -> dict[str, str]:
    found = ask(hub, user, "datasets", params={"limit": 100})
    return {one["title"]: one["pid"] for one in found["datasets"]}


def node_of(hub: Any, cluster: Any, user: str, options: dict[str, Any]) -> tuple[str, str]:
    """Start, and say on which node it runs and what its progress said; then stop."""
    answer = hub.request_server(user, options)
    assert answer.status_code in {201, 202}, answer.text + hub.tail()
    hub.wait_ready(user)
    argv = ["/usr/bin/squeue", "-h", "-u", user, "-t", "R", "-o", "%N"]
    node = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    said = stages(hub, user)
    hub.stop_server(user)
    return node, said


def stages(hub: Any, user: str) -> str:
    """The stages of a start as the hub has saved them; its own page shows them only meanwhile."""
    with closing(sqlite3.connect(f"file:{hub.folder}/jupyterhub.sqlite?mode=ro", uri=True)) as db:
        ask = "SELECT s.state FROM spawners s JOIN users u ON u.id = s.user_id WHERE u.name = ?"
        return "".join(str(row[0]) for row in db.execute(ask, (user,)))


def test_a_session_lands_where_most_of_its_data_lies(
    cluster: Any, hub: Any, placed: dict[str, str]
) -> None:
    a, b = placed["small-in-a"], placed["large-in-b"]
    for pids, nodes in (([b], {"nb1"}), ([a], {"na1", "na2"}), ([a, b], {"nb1"})):
        plan = ask(hub, "alice", "plan", json={"profile": "anywhere", "datasets": pids})
        assert plan["problems"] == []
        assert plan["hardware"] == "roam"
        node, said = node_of(hub, cluster, "alice", {"profile": "anywhere", "datasets": pids})
        assert node in nodes, plan
        assert plan["near"] == ("storage-b" if node == "nb1" else "storage-a")
        assert "Placed next to" in said
    assert plan["bytes_near"] > plan["bytes_far"] > 0
    assert "most of the data" in plan["reason"]


def test_hardware_away_from_the_data_is_said_and_possible(
    cluster: Any, hub: Any, placed: dict[str, str]
) -> None:
    options = {"profile": "gpu", "datasets": [placed["large-in-b"]]}
    plan = ask(hub, "alice", "plan", json=options)
    assert plan["near"] is None
    assert "no node of partition small has storage-b" in plan["reason"]
    assert plan["bytes_far"] > 50_000
    best = plan["alternatives"][0]
    assert (best["near"], best["bytes_far"]) == ("storage-b", 0)
    assert best["start"]["earliest"] > time.time() - 120
    assert plan["start"]["earliest"] > time.time() - 120


def test_bobs_is_refused_before_submission_naming_dataset_path_and_reason(
    cluster: Any, hub: Any, placed: dict[str, str]
) -> None:
    pid = placed["bobs-shared"]
    options = {"profile": "anywhere", "datasets": [pid]}
    answer = hub.request_server("alice", options)
    assert answer.status_code == 403, answer.text
    shared = cluster.site_venv.parent / "shared-data"
    path = f"{shared}/placed-bob/bobs-shared/bobs-shared.nxs"
    said = f"dataset {pid}: the account 'alice' may not read {path}"
    assert said in answer.json()["message"]
    plan = ask(hub, "alice", "plan", json=options)
    assert [r["answer"] for r in plan["rights"]] == ["no"]
    assert said in plan["problems"][0]["message"]
    assert not ALIVE & set(cluster.squeue("alice").values())


def test_where_the_hub_cannot_see_the_node_decides_with_the_same_words(
    cluster: Any, hub: Any, placed: dict[str, str]
) -> None:
    pid = placed["bobs-in-b"]
    options = {"profile": "anywhere", "datasets": [pid]}
    [right] = ask(hub, "alice", "plan", json=options)["rights"]
    assert right["answer"] == "unknown"
    path = f"{cluster.data('b')}/placed-bob/bobs-in-b/bobs-in-b.nxs"
    assert right["path"] == path
    said = hub.request_server("alice", options).json()["message"]
    assert f"dataset {pid}: {path} cannot be read by alice on nb1" in said


IN_THE_SESSION = """
import glob, json, os, subprocess, sys
import h5py
[root] = glob.glob("/data/virtual-in-a-*/virtual-in-a.nxs")
with h5py.File(root) as f:
    out = {"frames": f["entry/frames"][...].tolist(), "link": f["entry/link"][...].tolist()}
def nearfield(*args):
    done = subprocess.run([PROGRAM, "session", *args, "--json"], capture_output=True, text=True)
    return [done.returncode, done.stdout and json.loads(done.stdout), done.stderr]
out["refused"] = nearfield("add", A, BOBS)
out["elsewhere"] = nearfield("add", A, B)
out["before"] = sorted(os.listdir("/data"))
out["added"] = nearfield("add", A)
out["again"] = nearfield("add", A)
[root] = glob.glob("/data/small-in-a-*/small-in-a.nxs")
with h5py.File(root) as f:
    out["read"] = f["entry/data"].shape
out["shown"] = nearfield("show")
print(json.dumps(out))
"""


def test_virtual_sources_resolve_and_a_dataset_is_added_later(
    cluster: Any, hub: Any, placed: dict[str, str]
) -> None:
    virtual, a, b = (placed[name] for name in ("virtual-in-a", "small-in-a", "large-in-b"))
    answer = hub.request_server("alice", {"profile": "anywhere", "datasets": [virtual]})
    assert answer.status_code in {201, 202}, answer.text + hub.tail()
    hub.wait_ready("alice")
    names = {"A": a, "B": b, "BOBS": placed["bobs-in-b"]}
    names["PROGRAM"] = f"{cluster.site_venv}/bin/nearfield"
    said = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    token = hub.user_token("alice")
    out = json.loads(hub.execute("alice", token, said + IN_THE_SESSION))
    # Absolute sources lie in a folder that nobody has chosen: the storage has its own path.
    assert out["frames"] == [[1] * 4, [2] * 4, [3] * 4]
    assert out["link"] == [3] * 4
    # All or none; bob's is not on this node, nor could it be read.
    assert out["refused"][0] != 0 and placed["bobs-in-b"] in out["refused"][2]
    assert out["elsewhere"][0] == 3 and "not on this node" in out["elsewhere"][2], out
    assert len(out["before"]) == 1
    [[code, told, _], again] = out["added"], out["again"]
    assert code == 0 and told["datasets"][0]["problem"] == ""
    assert again[1] == told
    assert out["read"] == [2000]
    assert [d["pid"] for d in out["shown"][1]["datasets"]] == [virtual, a]
    # The panel asks the server for the same.
    url = f"{hub.url}/user/alice/nearfield/api/session/datasets"
    headers = {"Authorization": f"token {token}"}
    listed = httpx.get(url, headers=headers, timeout=30).json()["datasets"]
    assert [(d["pid"], d["added"]) for d in listed] == [(virtual, False), (a, True)]
    for body, status in (({"datasets": ["nope"]}, 404), ({"datasets": [b]}, 409), ({}, 400)):
        answer = httpx.post(url, headers=headers, json=body, timeout=30)
        assert answer.status_code == status, answer.text


def test_looking_at_the_page_asks_slurm_once_a_minute(cluster: Any, hub: Any) -> None:
    ask(hub, "alice", "availability")
    before = calls()
    for user in ("alice", "bob") * 10:
        found = ask(hub, user, "availability")
    assert calls() == before
    lab = found["clusters"]["lab"]
    assert lab["answers"] and lab["default_partition"] == "short"
    assert lab["partitions"]["short"]["cores_total"] == 768
    assert lab["partitions"]["gpu-sim"]["gpus_total"] == 2


def calls() -> int:
    """RPCs of jhub's own account that slurmctld has counted."""
    told = subprocess.run(["/usr/bin/sdiag"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^\s+jhub\s.*?count:(\d+)", told, re.MULTILINE)
    return int(found[1]) if found else 0


def test_choices_are_the_users_own(hub: Any, placed: dict[str, str]) -> None:
    def names(user: str) -> list[str]:
        return [profile["name"] for profile in ask(hub, user, "choices")["profiles"]]

    assert "chemists" not in names("alice")
    assert "chemists" in names("bob")
    [roam, _] = next(
        p for p in ask(hub, "alice", "choices")["profiles"] if p["name"] == "anywhere"
    )["hardware"]
    assert roam["choices"] == {"cores": {"kind": "range", "least": 1, "most": 4, "step": 1}}


@pytest.mark.parametrize("path", ["choices", "datasets", "availability", "plan"])
def test_who_may_not_ask(hub: Any, path: str) -> None:
    def refused(token: str | None) -> str:
        headers = {"Authorization": f"token {token}"} if token else {}
        method = "POST" if path == "plan" else "GET"
        answer = httpx.request(
            method, f"{hub.url}/hub/api/nearfield/{path}", headers=headers, timeout=30
        )
        assert answer.status_code == 403, answer.text
        assert set(answer.json()) == {"status", "message", "hint"}
        return str(answer.json()["message"])

    assert "belongs to a service" in refused(hub.admin_token)
    refused(None)
    refused("nonsense")
    hub.api("POST", "users/alice")
    for scopes in (["read:users!user=alice"], ["access:servers!server=alice/"]):
        made = hub.api("POST", "users/alice/tokens", json={"scopes": scopes})
        assert made.status_code < 300, made.text
        assert "lacks the scope" in refused(made.json()["token"])


def test_datasets_are_the_users_own_and_paged(hub: Any, placed: dict[str, str]) -> None:
    first = ask(hub, "alice", "datasets", params={"limit": 1})
    assert len(first["datasets"]) == 1 and first["next"] and first["total"] >= 3
    seen, page = [first["datasets"][0]["pid"]], first
    while page["next"] is not None and len(seen) < first["total"]:
        page = ask(hub, "alice", "datasets", params={"limit": 1, "cursor": page["next"]})
        seen += [dataset["pid"] for dataset in page["datasets"]]
    assert page["next"] is None and len(set(seen)) == len(seen) == first["total"]
    assert "large-in-b" not in datasets(hub, "bob")
    pids = [placed["large-in-b"], "no-such", placed["small-in-a"]]
    named = ask(hub, "alice", "datasets", params={"pids": pids})
    assert [d["title"] for d in named["datasets"]] == ["large-in-b", "small-in-a"]
    assert named["datasets"][0]["storage"] == "storage-b"
    assert ask(hub, "bob", "datasets", params={"pids": pids})["datasets"] == []


def test_a_body_or_query_that_does_not_fit(hub: Any) -> None:
    token = hub.user_token("alice")
    for path, options, status in (
        ("datasets", {"params": {"limit": "1000"}}, 400),
        ("datasets", {"params": {"owner": "bob"}}, 400),
        ("plan", {"content": b"{" * 100}, 400),
        ("plan", {"content": b" " * 70_000}, 413),
        ("plan", {"json": [1]}, 400),
    ):
        method = "POST" if path == "plan" else "GET"
        answer = hub.api(method, f"nearfield/{path}", token=token, **options)
        assert answer.status_code == status, answer.text
        assert answer.json()["message"] and "hint" in answer.json()
    [problem] = ask(hub, "alice", "plan", json={"profile": "nonsense"})["problems"]
    assert "nonsense" in problem["message"]
