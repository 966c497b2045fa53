"""Tasks in threads of this process: as many as the job was given cores."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from nearfield.reductions.joining import Joiner
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.plan import Partial, Plan, finish, join, run_task


def cores() -> int:
    """That this process may use: what Slurm's binding or cgroup leaves it."""
    return len(os.sched_getaffinity(0))


def compute(plan: Plan, workers: int | None = None) -> dict[str, Array]:
    workers = workers or cores()
    whole = Joiner[Partial](lambda left, right: join(plan, left, right))
    running: deque[Future[Partial]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="nearfield-reduce") as pool:
        for number in range(plan.tasks):
            # No more at a time than fill the workers: each holds arrays as large as frames.
            if len(running) > workers:
                whole.add(running.popleft().result())
            running.append(pool.submit(run_task, plan, number))
        while running:
            whole.add(running.popleft().result())
    return finish(plan, whole.whole())
