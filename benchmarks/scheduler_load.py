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
from benchkit.site import PEOPLE, nearfield, plain_batchspawner, test_cluster
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
        rows.append(
            {
                "servers": count,
                "rpcs_per_minute": of_hub(by_user),
                "look_rpcs": cost(hub.cluster, look_of(running(hub.cluster)))[1],
                "by_user": by_user,
            }
        )
        print(rows[-1], flush=True)
    return rows


def page_views(hub: Any, seconds: float) -> dict[str, float]:
    """The same window with somebody who looks at the spawn page again and again."""
    token = hub.user_token("alice")

    def view() -> None:
        for path in ("choices", "availability", "sessions"):
            hub.api("GET", f"nearfield/{path}", token=token)

    return window(hub.cluster, seconds, view)


def running(cluster: Any) -> list[str]:
    """The jobs of everybody."""
    return [job for user in PEOPLE for job in cluster.alive(user)]


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
        data: dict[str, Any] = {"window_seconds": seconds, "idle": window(cluster, 60)}
        with nearfield(cluster) as hub:
            data["nearfield"] = measure(hub, {"profile": "stand-in"}, counts, seconds)
            data["nearfield_with_page_views"] = page_views(hub, seconds)
            data["look_seconds"], _ = cost(cluster, look_of(running(cluster)))
            data["view_rpcs"] = sum(
                cost(cluster, argv)[1] for argv in (["sinfo", *SINFO], ["squeue", *WAITING])
            )
        cluster.cancel_all()
        starter = str(cluster.site_venv.parent / "stand-in-server")
        with plain_batchspawner(cluster, singleuser=starter, memory=100) as hub:
            data["batchspawner"] = measure(hub, {}, counts, seconds)
        cluster.cancel_all()
    return 0 if report_of(data).write() else 1


def report_of(data: dict[str, Any]) -> Report:
    """What the counted says of the promises."""
    ours, theirs, seconds = data["nearfield"], data["batchspawner"], data["window_seconds"]
    report = Report(
        "scheduler_load",
        "Load on slurmctld",
        f"RPCs per minute of all accounts but {' and '.join(DAEMONS)}, from `sdiag`, over"
        f" {seconds:.0f} s in steady state; servers are stand-ins, jobs and spawners are real."
        " A look is one squeue: three RPCs for a single job, two for more.",
        data,
    )
    # A window of that length begins anywhere between two looks: it may catch one more.
    looks = [row["rpcs_per_minute"] * seconds / 60 / row["look_rpcs"] for row in ours]
    first, last = ours[0], ours[-1]
    per_minute = last["rpcs_per_minute"]
    more = of_hub(data["nearfield_with_page_views"]) - per_minute
    # One sinfo and one squeue for each 60 s that the window touches, and one look more.
    let_through = (seconds / 60 + 1) * data["view_rpcs"] + last["look_rpcs"]
    report.targets = [
        Target(
            f"looks more or less with {last['servers']} than with {first['servers']}",
            abs(looks[-1] - looks[0]),
            1,
        ),
        Target(
            f"of batchspawner's with {last['servers']}",
            per_minute / theirs[-1]["rpcs_per_minute"],
            1 / 50,
        ),
        Target(
            "RPCs of page views, of those that a cache of 60 s lets through",
            more * seconds / 60 / let_through,
            1,
        ),
        Target("of an interval of 30 s taken by a look", data["look_seconds"] / 30, 1 / 20),
    ]
    report.table(
        ("servers", "nearfield", "batchspawner"),
        [
            (a["servers"], a["rpcs_per_minute"], b["rpcs_per_minute"])
            for a, b in zip(ours, theirs, strict=True)
        ],
    )
    return report


if __name__ == "__main__":
    sys.exit(main())
