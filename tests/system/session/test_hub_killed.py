"""The hub is killed at random moments, over and over, while servers run, wait and are submitted.

Nothing is believed that Nearfield says: what counts is Slurm, the hub's database and the proxy
(``hublab.ledger``). A session that was ready before a kill is the same job afterwards and answers.
One that was on its way becomes a server with one job, or is ended and leaves none.

``NEARFIELD_SEED`` repeats a run; the seed is printed.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from hublab.ledger import Ledger, look

pytestmark = pytest.mark.system
USERS = ("alice", "bob", "carol")
Key = tuple[str, str]


@dataclass
class Counts:
    """What a run has seen, for its last line."""

    kills: int = 0
    survived: int = 0
    adopted: int = 0
    ended: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.survived} times a ready session survived,"
            f" {self.adopted} starts were adopted, {self.ended} were ended,"
            f" {len(self.faults)} faults"
        )


class Crowd:
    """People who start and stop servers, and do not mind what becomes of their requests."""

    def __init__(self, hub: Any, dice: random.Random) -> None:
        self.hub, self.dice = hub, dice
        self._made = 0
        self._threads: list[threading.Thread] = []

    def start(self, profile: str) -> Key:
        """Ask for a new server and wait for no answer."""
        self._made += 1
        key = (USERS[self._made % len(USERS)], f"s{self._made}")
        self._send("POST", key, {"profile": profile})
        return key

    def stop(self, key: Key) -> None:
        self._send("DELETE", key, None)

    def _send(self, method: str, key: Key, options: dict[str, str] | None) -> None:
        path = f"users/{key[0]}/servers/{key[1]}"

        def send() -> None:
            with contextlib.suppress(httpx.HTTPError):  # the hub died over it
                self.hub.api(method, path, json=options, timeout=15)

        thread = threading.Thread(target=send, daemon=True)
        self._threads.append(thread)
        thread.start()

    def settle(self) -> None:
        """No request of ours is under way any more."""
        for thread in self._threads:
            thread.join(60)
        self._threads.clear()


def servers(hub: Any) -> dict[Key, dict[str, Any]]:
    found = {}
    for model in hub.api("GET", "users").json():
        for name, server in (model.get("servers") or {}).items():
            found[model["name"], name] = server
    return found


def ready(hub: Any) -> set[Key]:
    return {key for key, server in servers(hub).items() if server["ready"]}


def wait_until_settled(hub: Any, seconds: float) -> Ledger:
    """Until every server is ready, or its job waits in Slurm's queue, and no job is in doubt."""
    deadline = time.monotonic() + seconds
    while True:
        book, there = look(hub), servers(hub)
        waiting = {(j.user, j.name) for j in book.alive.values() if j.state == "PENDING"}
        unsettled = [
            key
            for key, server in there.items()
            if not server["ready"]
            and not ((row := book.row(*key)) and (row.user, row.job_name) in waiting)
        ]
        if not unsettled and not book.faults():
            return book
        if time.monotonic() > deadline:
            raise AssertionError(f"not settled: {unsettled}, {book.faults()}\n{hub.tail()}")
        time.sleep(0.3)


def answers(hub: Any, key: Key) -> bool:
    """Through the proxy, without the hub."""
    try:
        return httpx.get(f"{hub.url}/user/{key[0]}/{key[1]}/api", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def one_round(hub: Any, crowd: Crowd, counts: Counts, submitting: int) -> None:
    book = wait_until_settled(hub, 90)
    safe = ready(hub)
    jobs_before = {key: row.number for key in safe if (row := book.row(*key))}
    on_their_way = set(servers(hub)) - safe
    stopped = crowd.dice.sample(sorted(safe), k=min(1, len(safe)))
    on_their_way |= {crowd.start("stand-in") for _ in range(submitting)}
    time.sleep(crowd.dice.uniform(0, 1.5))
    for key in stopped:
        crowd.stop(key)
    time.sleep(crowd.dice.uniform(0, 0.5))
    hub.kill()
    counts.kills += 1
    safe -= set(stopped)
    counts.faults += [f"no answer while the hub is away: {k}" for k in safe if not answers(hub, k)]
    crowd.settle()
    hub.start()
    try:
        book = wait_until_settled(hub, 120)
    except AssertionError as error:
        counts.faults.append(str(error))
        return
    there = servers(hub)
    for key in sorted(safe):
        row = book.row(*key)
        same = row is not None and row.number == jobs_before[key] and row.job_name in book.alive
        if key in there and same and answers(hub, key):
            counts.survived += 1
        else:
            counts.faults.append(f"lost: {key}, {row}, job before {jobs_before[key]}")
    for key in on_their_way:
        counts.adopted += key in there
        counts.ended += key not in there


def run(hub: Any, *, rounds: int, running: int, queued: int, submitting: int) -> Counts:
    """Before each kill so many servers are up, wait in the queue, and are just asked for."""
    seed = int(os.environ.get("NEARFIELD_SEED") or time.time_ns() % 2**32)
    print(f"\nseed: NEARFIELD_SEED={seed}")
    counts, crowd = Counts(), Crowd(hub, random.Random(seed))  # noqa: S311 - not for secrets
    for user in USERS:
        hub.api("POST", f"users/{user}")
    crowd.start("queued")  # fills its partition: those after it wait
    for number in range(1, rounds + 1):
        known = len(counts.faults)
        there, up = servers(hub), ready(hub)
        for _ in range(queued - len(there.keys() - up)):
            crowd.start("queued")
        for _ in range(running - len(up)):
            crowd.start("stand-in")
        for key in crowd.dice.sample(sorted(up), k=max(0, len(up) - running)):
            crowd.stop(key)
        crowd.settle()
        one_round(hub, crowd, counts, submitting)
        print(f"round {number}: {counts}", *counts.faults[known:], sep="\n  ")
    return counts


def empty(hub: Any) -> None:
    """Stop everything, what waits in the queue included, until Slurm has none of our jobs."""
    deadline = time.monotonic() + 90
    while there := servers(hub):
        assert time.monotonic() < deadline, f"cannot be stopped: {there}\n{hub.tail()}"
        for user, name in there:
            hub.api("DELETE", f"users/{user}/servers/{name}")
        time.sleep(0.5)
    while alive := look(hub).alive:
        assert time.monotonic() < deadline, f"left over: {alive}"
        time.sleep(0.5)


def test_two_kills(idle: Any, hub: Any) -> None:
    counts = run(hub, rounds=2, running=3, queued=1, submitting=2)
    empty(hub)
    assert counts.faults == [], f"{counts}\n{hub.tail()}"
    assert counts.survived >= 4


@pytest.mark.soak
def test_thirty_kills(idle: Any, hub: Any) -> None:
    counts = run(hub, rounds=30, running=12, queued=4, submitting=4)
    empty(hub)
    assert counts.faults == [], f"{counts}\n{hub.tail()}"
    assert counts.survived >= 200
