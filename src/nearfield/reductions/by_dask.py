"""Tasks on the workers of a Dask cluster; what travels is the plan, once, and partial results.

The tasks go out in rounds. A round's partials are joined on the workers, and its whole travels to
the client, which joins the rounds in their order. The pairs are those of ``joining.joins``, so the
result is that of threads, bit for bit, whoever worked on what.

Why rounds: a worker that is lost takes with it what it had joined. So that costs a round at most,
and the scheduler holds the tasks of a few rounds, not of 10**6 frames.
"""

from __future__ import annotations

import math
import pickle
import platform
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import cloudpickle
from dask.delayed import delayed
from distributed import Client, KilledWorker, Reschedule, get_worker

from nearfield.errors import (
    BlockedError,
    ClusterError,
    NearfieldError,
    ReductionCancelledError,
    UsageError,
)
from nearfield.reductions.joining import Joiner, joins
from nearfield.reductions.kernels._protocol import Array
from nearfield.reductions.plan import Partial, Plan, finish, join, run_task
from nearfield.reductions.watching import Watch

ROUND = 64
"""Tasks: a power of 2, so that rounds are whole branches of the tree of joins."""
AHEAD = 4
"""Tasks for each thread of the cluster that the scheduler has, and at least two rounds."""
PIECE = 8_000_000
"""Bytes: Dask warns of tasks that are larger than 10 MB."""
_TOPIC = "nearfield-reduce"
_TICK = 0.25
"""Seconds after which a waiting client looks whether it is to end."""

News = SimpleQueue[int | None]
"""Numbers of tasks that are done, or ``None``: a round is."""


def compute(plan: Plan, client: Any, watch: Watch | None = None) -> dict[str, Array]:
    """The arrays of a plan's result, computed by the workers of a cluster.

    Args:
        client: ``distributed.Client``, or a cluster that gives one (``get_client``). Its workers
            need this version of Nearfield, and the files at the same paths.

    Raises:
        DataFileError: with file and frame; a note says on which node.
        ReductionCancelledError: it was stopped, or the cluster is gone.
        ClusterError: all its workers are gone, and no others will come.
        BlockedError: the workers lack a package.
        UsageError: that is no client.
    """
    watch, client = watch or Watch(), client_of(client)
    whole = Joiner[Partial](lambda left, right: join(plan, left, right))
    with _explained(client), _Rounds(plan, client, watch) as rounds:
        for partial, frames in rounds:
            watch.add(whole, partial, frames, plan.frames.count)
    return finish(plan, whole.whole())


def client_of(given: Any) -> Client:
    """Raises UsageError."""
    if not isinstance(given, Client) and hasattr(given, "get_client"):
        given = given.get_client()  # the same one each time
    if not isinstance(given, Client) or given.asynchronous:
        raise UsageError(
            f"client={given!r} is no client of a Dask cluster",
            hint="a distributed.Client (not an asynchronous one), or nearfield.cluster()",
        )
    return given


class _Rounds:
    """The partials of a plan's rounds, in their order. A context manager: leaving it ends all."""

    def __init__(self, plan: Plan, client: Any, watch: Watch) -> None:
        self._plan, self._client, self._watch = plan, client, watch
        self._name = f"nearfield-{uuid4().hex}"
        self._news: News = SimpleQueue()
        self._done: set[int] = set()
        self._frames = 0
        self._running: deque[Any] = deque()
        self._sent = 0

    def __enter__(self) -> _Rounds:
        _LISTENING[self._name] = self._news
        self._client.subscribe_topic(_TOPIC, _heard)
        self._there = _sent_once(self._plan, self._client, self._name)
        return self

    def __exit__(self, *_: object) -> None:
        _LISTENING.pop(self._name, None)
        # What nobody wants any more is dropped by the scheduler, running tasks too. This waits for
        # nobody: the cluster may be gone.
        for future in (*self._running, self._there):
            future.release()

    def __iter__(self) -> Iterator[tuple[Partial, int]]:
        """Each with the number of frames that are done with it."""
        count = math.ceil(self._plan.tasks / ROUND)
        for number in range(count):
            self._send(number, count)
            future = self._running[0]
            while not future.done():
                self._listen()
                self._send(number, count)
            partial = future.result()
            self._running.popleft()
            last = min((number + 1) * ROUND, self._plan.tasks) - 1
            yield _own(partial), self._plan.task(last)[1]

    def _send(self, taken: int, count: int) -> None:
        """As many rounds as keep all threads busy, those too that have come since."""
        if self._sent == count:
            return
        threads = sum(self._client.nthreads().values())
        wanted = max(2, math.ceil(AHEAD * threads / ROUND))
        while self._sent < min(count, taken + wanted):
            self._running.append(self._round(self._sent * ROUND))
            self._sent += 1

    def _round(self, first: int) -> Any:
        numbers = range(first, min(first + ROUND, self._plan.tasks))
        work, pair = delayed(_task, pure=False), delayed(_joined, pure=False)
        each = [
            work(self._there, self._name, n, dask_key_name=(f"{self._name}-task", n))
            for n in numbers
        ]
        for left, right in joins(len(each)):
            key = f"{self._name}-join", first + left, first + right
            each[left] = pair(self._there, each[left], each[right], dask_key_name=key)
        future = self._client.compute(each[0], optimize_graph=False)
        future.add_done_callback(lambda _: self._news.put(None))
        return future

    def _listen(self) -> None:
        """Wait a moment for news."""
        end = time.monotonic() + _TICK
        while True:
            if self._watch.stop.is_set():
                raise ReductionCancelledError("the reduction was cancelled")
            _look_at(self._client)
            try:
                number = self._news.get(timeout=max(0, end - time.monotonic()))
            except Empty:
                return
            if number is None:
                return
            # One that is done again, because a worker was lost, counts once.
            if number not in self._done:
                self._done.add(number)
                start, stop = self._plan.task(number)
                self._frames += stop - start
                self._watch.tell(self._frames, self._plan.frames.count)


_LISTENING: dict[str, News] = {}
"""By the name of a computation."""


def _heard(event: tuple[float, tuple[str, int]]) -> None:
    name, number = event[1]
    if (news := _LISTENING.get(name)) is not None:
        news.put(number)


def _sent_once(plan: Plan, client: Any, name: str) -> Any:
    """The plan on the workers: made from bytes that the scheduler keeps, so after any loss again.

    With the tables of a long stack and large masks it is tens of MB: each worker gets it once.
    """
    packed = cloudpickle.dumps(plan)
    pieces = [
        client.submit(bytes, packed[at : at + PIECE], key=f"{name}-piece-{at}", pure=False)
        for at in range(0, len(packed), PIECE)
    ]
    return client.submit(_unpacked, *pieces, key=f"{name}-plan", pure=False)


def _look_at(client: Client) -> None:
    """Raises ClusterError where the client's cluster (nearfield.workers) has ended, and why."""
    if (reason := getattr(client.cluster, "ended", None)) is not None:
        raise ClusterError(f"the cluster has ended: {reason}")


@contextmanager
def _explained(client: Client) -> Iterator[None]:
    """What Dask raises, in words that say what to do."""
    try:
        yield
    except NearfieldError:
        raise
    except KilledWorker as error:
        raise NearfieldError(
            f"workers died again and again over one task: {error.task}",
            hint="they may need more memory; their logs say more",
        ) from error
    except ModuleNotFoundError as error:
        raise BlockedError(
            f"a worker has no package {error.name!r}",
            hint="workers need the same Nearfield and packages as this process",
        ) from error
    except Exception as error:
        _look_at(client)
        # A client whose cluster is gone fails in many ways.
        if client.status == "running" and not isinstance(error, CancelledError):
            raise
        raise ReductionCancelledError("the cluster that computed it was closed, or lost") from error


# What follows runs on the workers.


def _unpacked(*pieces: bytes) -> Plan:
    plan: Plan = pickle.loads(b"".join(pieces))  # noqa: S301 - our client's
    return plan


def _task(plan: Plan, name: str, number: int) -> Partial:
    worker = get_worker()
    try:
        partial = run_task(plan, number, _Unwanted(worker, (f"{name}-task", number)))
    except ReductionCancelledError:
        raise Reschedule from None  # in case that it was wanted again meanwhile
    except Exception as error:
        error.add_note(f"on {platform.node()}, in the frames {plan.task(number)}")
        raise
    worker.log_event(_TOPIC, [name, number])
    return partial


def _joined(plan: Plan, left: Partial, right: Partial) -> Partial:
    return join(plan, _own(left), right)


def _own(partial: Partial) -> Partial:
    """To be changed: Dask may still give the one that was made to somebody else."""
    return {name: tuple(array.copy() for array in state) for name, state in partial.items()}


class _Unwanted:
    """Set when the scheduler has dropped a task that runs: its client cancelled it, or is gone."""

    def __init__(self, worker: Any, key: object) -> None:
        self._tasks, self._key = worker.state.tasks, key

    def is_set(self) -> bool:
        task = self._tasks.get(self._key)
        return task is None or task.state == "cancelled"


def on(client: Any) -> Callable[[Plan, int | None, Watch], dict[str, Array]]:
    """For a result: computes it by that client's workers."""
    return lambda plan, _, watch: compute(plan, client, watch)
