"""The proxy, then the catalogue, ends while people work: what docs/explanation/day-one.md says."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import httpx
import pytest

from hublab.ledger import look


def status(hub: Any, path: str) -> int:
    headers = {"Authorization": f"token {hub.admin_token}"}
    try:
        return httpx.get(f"{hub.url}{path}", headers=headers, timeout=10).status_code
    except httpx.HTTPError:
        return 599


def wait_for(hub: Any, path: str, seconds: float) -> float:
    """Seconds until it answers."""
    began = time.monotonic()
    while status(hub, path) >= 300:
        assert time.monotonic() - began < seconds, hub.tail()
        time.sleep(0.2)
    return time.monotonic() - began


def running(cluster: Any) -> set[str]:
    """alice's jobs that run. Ended ones leave the list in their own time."""
    states = cluster.squeue(user="alice")
    return {number for number, state in states.items() if state == "RUNNING"}


def test_a_proxy_that_comes_back_is_told_its_routes_by_a_hub_that_restarts(
    idle: Any, hub: Any
) -> None:
    hub.request_server("alice", {"profile": "stand-in"})
    hub.wait_ready("alice")
    jobs = running(idle)
    hub.proxy.kill()
    hub.proxy.wait()
    assert status(hub, "/user/alice/api") == 599
    hub.start_proxy()
    hub.hub.terminate()
    hub.hub.wait(30)
    hub.start()
    wait_for(hub, "/user/alice/api", 20)
    assert running(idle) == jobs


@pytest.mark.soak  # longer than JupyterHub's own patience, 30 s
def test_a_hub_that_comes_back_before_its_network_ends_nobodys_session(idle: Any, hub: Any) -> None:
    hub.request_server("alice", {"profile": "stand-in"})
    hub.wait_ready("alice")
    jobs = running(idle)
    node, port = look(hub).routes["/user/alice"].removeprefix("http://").split(":")
    rules = (
        "add table inet away; add chain inet away in { type filter hook input priority 0; };"
        f" add rule inet away in tcp dport {port} drop"
    )
    try:
        assert idle.exec_on(node, ["nft", rules]).returncode == 0
        hub.hub.terminate()
        hub.hub.wait(30)
        hub.start()
        time.sleep(45)
        assert running(idle) == jobs, hub.tail()
        assert "cannot be reached from the hub; waiting for it" in hub.log.read_text()
    finally:
        idle.exec_on(node, ["nft", "delete", "table", "inet", "away"])
    hub.wait_ready("alice", 60)
    assert status(hub, "/user/alice/api") == 200
    assert running(idle) == jobs


def test_a_session_that_waits_can_be_stopped_after_a_restart_of_the_hub(
    idle: Any, hub: Any
) -> None:
    hub.request_server("carol", {"profile": "queued"})
    hub.wait_ready("carol")
    hub.ask_for_server("alice", {"profile": "queued"})
    deadline = time.monotonic() + 20
    while "PENDING" not in idle.squeue(user="alice").values():
        assert time.monotonic() < deadline, hub.tail()
        time.sleep(0.1)
    hub.kill()
    hub.start()
    answer = hub.api("DELETE", "users/alice/server")
    assert answer.status_code in {202, 204}, answer.text + hub.tail()
    hub.wait_gone("alice")
    assert "PENDING" not in idle.squeue(user="alice").values()
    assert status(hub, "/user/carol/api") == 200


@pytest.mark.soak
def test_a_catalogue_that_ends_is_started_again(idle: Any, hub: Any, pids: dict[str, str]) -> None:
    hub.request_server("alice", {"profile": "stand-in"})
    hub.wait_ready("alice")
    pid = hub._catalogue_pid()
    os.kill(pid, signal.SIGKILL)
    refused = hub.request_server("bob", {"profile": "stand-in", "datasets": [pids["bob"]]})
    assert refused.status_code == 503, refused.text
    assert "catalogue" in refused.text
    assert status(hub, "/user/alice/api") == 200
    wait_for(hub, "/services/catalogue/health", 60)
    assert hub._catalogue_pid() != pid
