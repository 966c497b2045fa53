"""The table of rights over a real hub: three people, each in a session of their own account.

Owner, group, public, embargo and its end, through the session's REST API, its preview, and the
command line inside the session. The table for each kind of source is tests/contract/rights'.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import h5py
import httpx
import pytest

from nearfield.datasets import Access, DataFile, Dataset
from nearfield.testing.synthetic import DAY_ONE

pytestmark = pytest.mark.system

GROUP, REGISTRAR = "beam-7", "registrar"
GROUPS = {GROUP: ["bob", "carol"], "registrars": [REGISTRAR]}
ABSENT = "rights-absent"
BOBS = {"owner": "bob", "owner_group": GROUP}
RECORDS: dict[str, dict[str, Any]] = {
    "rights-group": BOBS,
    "rights-public": {**BOBS, "public": True},
    "rights-embargoed": {**BOBS, "public": True, "embargo_until": "2999-01-01T00:00:00Z"},
    "rights-lapsed": {**BOBS, "public": True, "embargo_until": "2024-01-01T00:00:00Z"},
}
OPEN = {"rights-public", "rights-lapsed"}
SEES = {
    "alice": {"alice", *OPEN},
    "bob": {"bob", *RECORDS},
    "carol": set(RECORDS),  # a member of the group
}
INSIDE = """
import contextlib, io, json
from nearfield.cli import run_command

def command(*argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_command(list(argv))
    return [code, out.getvalue(), err.getvalue()]

pids = {pids!r}
said = {{"search": command("catalogue", "search", "--json", "--limit", "200")}}
for name, pid in pids.items():
    said[name] = command("catalogue", "show", pid, "--json")
for name in ({hidden!r}, "absent"):
    asked = ("--dataset", pids[name], "--out", "never")
    said[f"run {{name}}"] = command("run", "frames-projection", *asked)
print(json.dumps(said))
"""
# A kernel has a loop of its own already, and the command makes one.
IN_A_PROCESS = """
import subprocess, sys
done = subprocess.run([sys.executable, "-c", {code!r}], capture_output=True, text=True)
print(done.stdout + done.stderr)
"""


@pytest.fixture
def records(hub: Any, cluster: Any, pids: dict[str, str]) -> Iterator[dict[str, str]]:
    """Registered by somebody who may write, over the service's own interface, for this test."""
    file = cluster.storage("a") / "rights.h5"
    with h5py.File(file, "w") as h5:
        h5["number"] = 7
    path = f"{cluster.data('a')}/rights.h5"
    for group, members in GROUPS.items():
        for user in members:
            hub.api("POST", f"users/{user}")
        made = hub.api("POST", f"groups/{group}")
        assert made.status_code == 201, made.text
        joined = hub.api("POST", f"groups/{group}/users", json={"users": members})
        assert joined.status_code == 200, joined.text
    token = hub.user_token(REGISTRAR)
    with httpx.Client(
        base_url=f"{hub.url}/services/catalogue/datasets/",
        headers={"Authorization": f"token {token}"},
        timeout=60,
    ) as service:
        for pid, access in RECORDS.items():
            record = Dataset(
                pid=pid,
                title=f"title of {pid}",
                files=(DataFile(path=path, size=file.stat().st_size, mtime=DAY_ONE),),
                access=Access.model_validate(access),
            ).model_dump(mode="json", exclude={"source", "size", "warnings"}, exclude_defaults=True)
            answer = service.put(pid, json=record)
            assert answer.status_code == 201, answer.text
        yield {**pids, **{pid: pid for pid in RECORDS}}
        for pid in RECORDS:
            assert service.delete(pid).status_code == 204
    for group in GROUPS:
        hub.api("DELETE", f"groups/{group}")
    hub.api("DELETE", f"users/{REGISTRAR}")
    file.unlink()


def test_each_in_a_session_of_their_own(hub: Any, records: dict[str, str]) -> None:
    for who in SEES:
        hub.ask_for_server(who, {"profile": "small"})
    with ThreadPoolExecutor(3) as beside:
        list(beside.map(lambda who: asks(hub, who, records), SEES))


def asks(hub: Any, who: str, records: dict[str, str]) -> None:
    hub.wait_ready(who)
    token = hub.user_token(who)
    with httpx.Client(
        base_url=f"{hub.url}/user/{who}/nearfield/api/",
        headers={"Authorization": f"token {token}"},
        timeout=60,
    ) as api:
        found = api.get("datasets", params={"limit": 200}).json()["datasets"]
        names = {pid: name for name, pid in records.items()}
        assert {names[one["pid"]] for one in found if one["pid"] in names} == SEES[who]
        for part in ("", "/files", "/related", "/tree", "/slice?path=/number", "/thumbnail"):
            nothing = words(api, ABSENT, part)
            assert nothing[0] == 404
            shown = {name for name, pid in records.items() if words(api, pid, part) != nothing}
            assert shown == SEES[who], part
        part = api.get("datasets/rights-public/slice", params={"path": "/number"})
        assert part.json()["data"] == 7
    hidden = min(set(records) - SEES[who])
    code = INSIDE.format(pids={**records, "absent": ABSENT}, hidden=hidden)
    said = json.loads(hub.execute(who, token, IN_A_PROCESS.format(code=code), 120))
    listed = {one["pid"] for one in json.loads(said["search"][1])["datasets"]}
    assert {names[pid] for pid in listed if pid in names} == SEES[who]
    for name, pid in records.items():
        if name in SEES[who]:
            assert json.loads(said[name][1])["pid"] == pid
        else:
            assert as_absent(said[name], pid) == said["absent"]
    assert said["run absent"][0] == 1
    assert as_absent(said[f"run {hidden}"], records[hidden]) == said["run absent"]


def words(api: httpx.Client, pid: str, part: str) -> tuple[int, str]:
    """The status, and what a refusal says, the dataset's name aside."""
    answer = api.get(f"datasets/{quote(pid, safe='')}{part}")
    if answer.is_success:
        return answer.status_code, ""
    return answer.status_code, str(answer.json()["message"]).replace(pid, ABSENT)


def as_absent(said: list[Any], pid: str) -> list[Any]:
    return [said[0], said[1], said[2].replace(pid, ABSENT)]
