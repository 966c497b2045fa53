"""What a person is told while a session waits, runs and ends, on the real queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.system


def session(hub: Any, user: str) -> dict[str, Any]:
    """The default server's entry of ``GET sessions``, as an administrator sees it."""
    answer = hub.api("GET", f"nearfield/sessions?user={user}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["sessions"]
    return next((one for one in found if one["server"] == ""), {})


def until(true: Callable[[], Any], hub: Any, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, hub.tail()
        time.sleep(0.2)
    return found


def words(hub: Any, user: str) -> list[str]:
    return [stage["message"] for stage in session(hub, user).get("stages", [])]


def test_a_full_partition_tells_the_place_and_what_comes_then(cluster: Any, hub: Any) -> None:
    filler = cluster.sbatch(
        "carol", "--partition=small", "--exclusive", "--time=10", script="exec sleep 120"
    )
    cluster.wait_job(filler, ["RUNNING"])
    hub.ask_for_server("bob", {"profile": "queued"})
    until(lambda: any("position 1 of 1 in small" in text for text in words(hub, "bob")), hub)
    told = session(hub, "bob")
    assert told["state"] == "starting"
    assert any("as soon as enough of a node is free" in text for text in words(hub, "bob"))
    cluster.run_as("carol", ["scancel", filler])
    hub.wait_ready("bob")
    told = session(hub, "bob")
    assert (told["state"], told["profile"], told["ended"]) == ("running", "queued", None)
    names = [stage["name"] for stage in told["stages"]]
    order = ["rights", "submitted", "queued", "allocated", "ready"]
    assert [name for name in dict.fromkeys(names) if name in order] == order
    assert "server" in names, f"the node did not tell its stages: {told['stages']}"
    assert 0 < told["remaining_seconds"] <= 30 * 60
    assert told["host"] == "small1"


def test_a_job_that_was_cancelled_outside_is_told_also_by_the_next_hub(
    cluster: Any, hub: Any
) -> None:
    assert hub.request_server("alice", {"profile": "stand-in"}).status_code in {201, 202}
    hub.wait_ready("alice")
    job = session(hub, "alice")["job"]
    cluster.run_as("alice", ["scancel", job])
    hub.wait_gone("alice")
    ended = until(lambda: session(hub, "alice").get("ended"), hub)
    assert ended["kind"] == "cancelled"
    assert "nearfield:" in ended["log"]
    hub.kill()
    hub.start()
    assert session(hub, "alice")["ended"] == ended
    # Each sees her own, and nobody else's.
    own = hub.api("GET", "nearfield/sessions", token=hub.user_token("alice"))
    assert own.json()["sessions"][0]["ended"] == ended
    other = hub.api("GET", "nearfield/sessions?user=alice", token=hub.user_token("bob"))
    assert other.status_code == 403, other.text


def test_metrics_and_logs_without_secrets(hub: Any) -> None:
    """After the tests above: the whole log of a hub holds no token, its metrics no user."""
    assert hub.request_server("alice", {"profile": "stand-in"}).status_code in {201, 202}
    hub.wait_ready("alice")
    log = hub.log.read_text(errors="replace")
    assert "event=stage user=alice" in log
    assert "event=listening user=alice" in log
    assert hub.admin_token not in log
    assert hub.proxy_token not in log
    token = hub.user_token("alice")
    assert token not in hub.log.read_text(errors="replace")
    headers = {"Authorization": f"token {hub.admin_token}"}
    metrics = httpx.get(f"{hub.url}/hub/metrics", headers=headers, timeout=30).text
    told = [line for line in metrics.splitlines() if line.startswith("nearfield_")]
    assert any('nearfield_spawns_total{outcome="started",profile="stand-in"}' in x for x in told)
    assert any(line.startswith('nearfield_monitor_age_seconds{cluster="lab"}') for line in told)
    assert not any("alice" in line for line in told)


@pytest.mark.soak
def test_a_limit_that_an_administrator_shortens_is_followed_and_told(
    cluster: Any, hub: Any
) -> None:
    """Slurm looks at limits once a minute, so this takes up to two."""
    assert hub.request_server("alice", {"profile": "stand-in"}).status_code in {201, 202}
    hub.wait_ready("alice")
    told = session(hub, "alice")
    assert told["warning"] is None
    cluster._slurm(["scontrol", "update", f"JobId={told['job']}", "TimeLimit=3"], "lab")
    warned = until(lambda: session(hub, "alice").get("warning"), hub, 60)
    assert warned["minutes"] == 5
    hub.wait_gone("alice", 180)
    ended = until(lambda: session(hub, "alice").get("ended"), hub)
    assert ended["kind"] == "time-limit", ended
    assert "This session reaches its time limit now and is ended." in ended["log"]
    assert ended["at"] < told["started"] + 180, "ahead of the limit, not at it"
