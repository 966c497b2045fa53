"""Which cluster one gets: threads of this process, or jobs."""

from __future__ import annotations

import logging
from typing import Any

from distributed import LocalCluster, Worker
from distributed.deploy.cluster import Cluster

from nearfield.errors import UsageError
from nearfield.reductions.threads import cores
from nearfield.workers import listening
from nearfield.workers.jobs_cluster import JobsCluster


def start(
    jobs: int | None, *, threads: int | None, minutes: int | None, dashboard: bool
) -> Cluster:
    """As :func:`nearfield.cluster`, which says what it raises."""
    for name, value in (("jobs", jobs), ("threads", threads), ("minutes", minutes)):
        if value is not None and value < 1:
            raise UsageError(f"{name}={value}: at least 1")
    if jobs is not None:
        return JobsCluster(jobs, threads=threads, minutes=minutes, dashboard=dashboard)
    if minutes is not None:
        raise UsageError("minutes= is for jobs=: threads of this process end with the session")
    return _here(threads or cores(), dashboard)


class _WithoutPages(Worker):
    """Dask's local clusters give a worker its pages with the address at which they would be.

    Without an address it would listen at all of them.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named | {"dashboard": False})


def _here(threads: int, dashboard: bool) -> LocalCluster:
    """One worker in this process; nothing of it listens on a network."""
    with listening.pages(dashboard):
        return LocalCluster(
            1,
            threads_per_worker=threads,
            processes=False,
            protocol="inproc://",
            memory_limit=0,  # the session's own limit holds
            dashboard_address=listening.PAGES,
            worker_dashboard_address=listening.PAGES,
            scheduler_kwargs={"dashboard": dashboard},
            worker_class=Worker if dashboard else _WithoutPages,
            silence_logs=logging.ERROR,
        )
