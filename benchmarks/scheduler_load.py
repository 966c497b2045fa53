"""What a hub with many servers asks of slurmctld: ours and batchspawner's, in one run.

``python benchmarks/scheduler_load.py [SECONDS [COUNT…]]``. The jobs and the spawners are real, the
servers are stand-ins that answer and do nothing. After all servers are ready and one interval has
passed, slurmctld's counters are reset and read after SECONDS (120). Counted are the RPCs of all
accounts but root and slurm, which are Slurm's own daemons; those of an idle cluster are told too.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchkit.load import keys, reset_rpcs, rpcs, start_all
from benchkit.report import Report, Target
from benchkit.site import nearfield, plain_batchspawner, test_cluster
from nearfield.scheduler.slurm_forecast import SINFO, WAITING
from nearfield.scheduler.slurm_output import OWNED_FORMAT

COUNTS = [1, 50, 200]
DAEMONS = ("root", "slurm")
SETTLE = 35.0
"""A little over JupyterHub's and the monitor's interval of 30 s."""


def window(
    cluster: Any, seconds: float, view: Callable[[], object] | None = None
) -> dict[str, float]:
    """RPCs a minute, by user; ``view`` is called about once a second."""
    reset_rpcs(cluster)
    began = time.monotonic()
    while (left := seconds - (time.monotonic() - began)) > 0:
        if view:
            view()
        time.sleep(min(1.0, left) if view else left)
    found = rpcs(cluster)
    minutes = (time.monotonic() - began) / 60
    return {user: round(count / minutes, 2) for user, count in found.items()}


def of_hub(counted: dict[str, float]) -> float:
    return sum(count for user, count in counted.items() if user not in DAEMONS)


def measure(
    hub: Any, options: dict[str, Any], counts: list[int], seconds: float
) -> list[dict[str, Any]]:
    rows, had = [], 0
    for count in counts:
        start_all(hub, keys(count)[had:], options)
        had = count
        time.sleep(SETTLE)
        by_user = window(hub.cluster, seconds)
        rows.append({"servers": count, "rpcs_per_minute": of_hub(by_user), "by_user": by_user})
        print(rows[-1], flush=True)
    return rows


def page_views(hub: Any, seconds: float) -> dict[str, float]:
    """The same window with somebody who looks at the spawn page again and again."""
    token = hub.user_token("alice")

    def view() -> None:
        for path in ("choices", "availability", "sessions"):
            hub.api("GET", f"nearfield/{path}", token=token)

    return window(hub.cluster, seconds, view)


def look_of(numbers: list[str]) -> list[str]:
    """One look at all these jobs, as the hub makes it."""
    return ["squeue", "-h", "-t", "all", "-j", ",".join(numbers), "-o", OWNED_FORMAT]


def cost(cluster: Any, argv: list[str]) -> tuple[float, float]:
    """How long a command takes, and how many RPCs it is."""
    took = []
    reset_rpcs(cluster)
    for _ in range(10):
        began = time.perf_counter()
        cluster.run_as("bob", argv)  # the hub's own looks go on under its own name
        took.append(time.perf_counter() - began)
    return statistics.median(took), rpcs(cluster)["bob"] / 10


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    counts = [int(word) for word in sys.argv[2:]] or COUNTS
    with test_cluster() as cluster:
        idle = window(cluster, 60)
        with nearfield(cluster) as hub:
            ours = measure(hub, {"profile": "stand-in"}, counts, seconds)
            viewed = page_views(hub, seconds)
            jobs = [job for user in ("alice", "bob", "carol") for job in cluster.squeue(user)]
            look, look_rpcs = cost(cluster, look_of(jobs))
            view_rpcs = sum(
                cost(cluster, argv)[1] for argv in (["sinfo", *SINFO], ["squeue", *WAITING])
            )
        cluster.cancel_all()
        starter = str(cluster.site_venv.parent / "stand-in-server")
        with plain_batchspawner(cluster, singleuser=starter, memory=100) as hub:
            theirs = measure(hub, {}, counts, seconds)
        cluster.cancel_all()
    report = Report(
        "scheduler_load",
        "Load on slurmctld",
        f"RPCs per minute of all accounts but {' and '.join(DAEMONS)}, from `sdiag`, over"
        f" {seconds:.0f} s in steady state; servers are stand-ins, jobs and spawners are real.",
    )
    report.data = {
        "window_seconds": seconds,
        "idle": idle,
        "nearfield": ours,
        "batchspawner": theirs,
        "nearfield_with_page_views": viewed,
        "look_seconds": look,
        "look_rpcs": look_rpcs,
        "view_rpcs": view_rpcs,
    }
    mine = [row["rpcs_per_minute"] for row in ours]
    # A window of that length begins anywhere between two looks: it may catch one more.
    looks = [count * seconds / 60 / look_rpcs for count in mine]
    report.targets = [
        Target(
            f"looks more or less with {counts[-1]} than with {counts[0]}",
            abs(looks[-1] - looks[0]),
            1,
        ),
        Target(
            f"of batchspawner's with {counts[-1]}", mine[-1] / theirs[-1]["rpcs_per_minute"], 1 / 50
        ),
        # One sinfo and one squeue for each 60 s that the window touches, and one look more.
        Target(
            "RPCs of page views, of those that a cache of 60 s lets through",
            (of_hub(viewed) - mine[-1])
            * seconds
            / 60
            / ((seconds / 60 + 1) * view_rpcs + look_rpcs),
            1,
        ),
        Target("of an interval of 30 s taken by a look", look / 30, 1 / 20),
    ]
    report.table(
        ("servers", "nearfield", "batchspawner"),
        [
            (a["servers"], a["rpcs_per_minute"], b["rpcs_per_minute"])
            for a, b in zip(ours, theirs, strict=True)
        ],
    )
    return 0 if report.write() else 1


if __name__ == "__main__":
    sys.exit(main())
