"""Tasks in threads of this process: as many as the job was given cores."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from nearfield.errors import ReductionCancelledError, UsageError
from nearfield.reductions import cost
from nearfield.reductions.joining import Joiner
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.plan import Partial, Plan, finish, join, run_task
from nearfield.reductions.watching import Watch


def cores() -> int:
    """That this process may use: what Slurm's binding or cgroup leaves it."""
    return len(os.sched_getaffinity(0))


def checked(workers: object) -> None:
    """Raises UsageError for what is no number of threads; ``None`` is all cores."""
    if workers is None:
        return
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer):
        raise UsageError(f"workers={workers!r} is no number of threads")
    if workers < 1:
        raise UsageError(f"workers={workers}: one thread at least has to do it")


def compute(plan: Plan, workers: int | None = None, watch: Watch | None = None) -> dict[str, Array]:
    """The arrays of a plan's result.

    Whatever ends it early (an error, Ctrl-C, ``watch.stop``) ends its threads too, each at its
    next block.

    Raises:
        DataFileError: with file and frame.
        ReductionCancelledError: it was stopped.
    """
    workers, watch = workers or cores(), watch or Watch()
    whole = Joiner[Partial](lambda left, right: join(plan, left, right))
    running: deque[Future[Partial]] = deque()
    done, clock = 0, cost.Clock(plan, workers)
    failed: list[BaseException] = []

    def work(number: int) -> Partial:
        try:
            return run_task(plan, number, watch.stop)
        except BaseException as error:
            failed.append(error)
            watch.stop.set()
            raise

    def take() -> None:
        nonlocal done
        result = running.popleft().result()
        end = plan.task(done)[1]
        done += 1
        clock.done(done)
        watch.add(whole, result, end, plan.frames.count)

    with ThreadPoolExecutor(workers, thread_name_prefix="nearfield-reduce") as pool:
        try:
            for number in range(plan.tasks):
                # No more at a time than fill the workers: each holds arrays as large as frames.
                if len(running) > workers:
                    take()
                running.append(pool.submit(work, number))
            while running:
                take()
        except BaseException as error:
            # Leaving the pool waits for its threads: none is left when the error is seen.
            watch.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            # One that failed has ended the others, and these are asked first.
            if failed and isinstance(error, ReductionCancelledError):
                raise failed[0] from None
            raise
    found = finish(plan, whole.whole())
    clock.finished()
    return found
