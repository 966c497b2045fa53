"""The hub is killed at random moments, over and over, while servers run, wait and are submitted.

Nothing is believed that Nearfield says: what counts is Slurm, the hub's database and the proxy
(``hublab.ledger``). A session that was ready before a kill is the same job afterwards and answers.
One that was on its way becomes a server with one job, or is ended and leaves none.

``NEARFIELD_SEED`` repeats a run; the seed is printed, and told with a failure.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from hublab.ledger import Ledger, look
from nearfield_spawners.leftovers import LAUNCHER_SECONDS

pytestmark = pytest.mark.system
USERS = ("alice", "bob", "carol")
Key = tuple[str, str]
ANSWER_SECONDS = 10
"""So long a server may take to answer through the proxy."""
SETTLED_SECONDS = LAUNCHER_SECONDS + 120
"""A launcher that died with the hub, with the name taken and no job made, is waited for; then
JupyterHub asks for 30 s at an address where nobody is."""


@dataclass
class Counts:
    """What a run has seen, for its last line."""

    seed: int
    kills: int = 0
    survived: int = 0
    adopted: int = 0
    ended: int = 0
    faults: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Starts that got no server. No fault where the hub was away."""

    def told(self, hub: Any) -> str:
        """What a log must hold to find the cause without a second run."""
        lines = [f"NEARFIELD_SEED={self.seed}: {self}", *self.faults]
        lines += ["starts that were refused:", *self.refused, "the end of the hub's log:"]
        return "\n".join([*lines, hub.tail()])

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.survived} times a ready session survived,"
            f" {self.adopted} starts were adopted, {self.ended} were ended,"
            f" {len(self.faults)} faults"
        )


class Crowd:
    """People who start and stop servers, and do not mind what becomes of their requests."""

    def __init__(self, hub: Any, dice: random.Random, counts: Counts) -> None:
        self.hub, self.dice, self.counts = hub, dice, counts
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
                answer = self.hub.api(method, path, json=options, timeout=15)
                if answer.status_code >= 400:
                    told = f"{method} {path}: {answer.status_code} {answer.text[:500]}"
                    self.counts.refused.append(told)

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


def wait_until_settled(hub: Any) -> Ledger:
    """Until every server is ready, or its job waits in Slurm's queue, and no job is in doubt."""
    deadline = time.monotonic() + SETTLED_SECONDS
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
            doubts = [f"{key}: {there[key]}, {book.row(*key)}" for key in unsettled]
            raise AssertionError("\n".join(["not settled:", *doubts, *book.faults(), hub.tail()]))
        time.sleep(0.3)


def silence(hub: Any, key: Key) -> str:
    """Why the server does not answer through the proxy, without the hub; empty if it does."""
    try:
        answer = httpx.get(f"{hub.url}/user/{key[0]}/{key[1]}/api", timeout=ANSWER_SECONDS)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    if answer.status_code == 200:
        return ""
    path = f"/user/{key[0]}/{key[1]}/"
    routes = {k: v for k, v in look(hub).routes.items() if path.startswith(k)}
    return f"{answer.status_code} {answer.text[:200]!r}, routes {routes}"


def one_round(hub: Any, crowd: Crowd, counts: Counts, submitting: int) -> None:
    book = wait_until_settled(hub)
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
    for key in sorted(safe):
        if why := silence(hub, key):
            counts.faults.append(f"no answer while the hub is away: {key}: {why}")
    crowd.settle()
    hub.start()
    try:
        book = wait_until_settled(hub)
    except AssertionError as error:
        counts.faults.append(str(error))
        return
    there = servers(hub)
    for key in sorted(safe):
        row = book.row(*key)
        same = row is not None and row.number == jobs_before[key] and row.job_name in book.alive
        why = silence(hub, key)
        if key in there and same and not why:
            counts.survived += 1
        else:
            known = f"{there.get(key)}, {row}, job before {jobs_before[key]}"
            counts.faults.append(f"lost: {key}: {why or 'answers'}; {known}")
    for key in on_their_way:
        counts.adopted += key in there
        counts.ended += key not in there


def run(hub: Any, *, rounds: int, running: int, queued: int, submitting: int) -> Counts:
    """Before each kill so many servers are up, wait in the queue, and are just asked for."""
    seed = int(os.environ.get("NEARFIELD_SEED") or time.time_ns() % 2**32)
    print(f"\nseed: NEARFIELD_SEED={seed}")
    counts = Counts(seed)
    crowd = Crowd(hub, random.Random(seed), counts)  # noqa: S311 - not for secrets
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
        try:
            crowd.settle()
            one_round(hub, crowd, counts, submitting)
        except AssertionError as error:
            raise AssertionError(f"round {number}: {error}\n{counts.told(hub)}") from error
        print(f"round {number}: {counts}", *counts.faults[known:], sep="\n  ")
    return counts


def empty(hub: Any) -> None:
    """Stop everything, what waits in the queue included, until Slurm has none of our jobs."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while there := servers(hub):
        assert time.monotonic() < deadline, f"cannot be stopped: {there}\n{hub.tail()}"
        with ThreadPoolExecutor(len(there)) as beside:
            list(beside.map(lambda k: hub.api("DELETE", f"users/{k[0]}/servers/{k[1]}"), there))
        time.sleep(0.2)
    while alive := look(hub).alive:
        assert time.monotonic() < deadline, f"left over: {alive}"
        time.sleep(0.2)


def test_two_kills(idle: Any, hub: Any) -> None:
    counts = run(hub, rounds=2, running=3, queued=1, submitting=2)
    empty(hub)
    assert counts.faults == [], counts.told(hub)
    assert counts.survived >= 4, counts.told(hub)


@pytest.mark.soak
def test_thirty_kills(idle: Any, hub: Any) -> None:
    counts = run(hub, rounds=30, running=12, queued=4, submitting=4)
    empty(hub)
    assert counts.faults == [], counts.told(hub)
    assert counts.survived >= 200, counts.told(hub)
