"""Slurm's reading commands for the whole hub: squeue, sinfo, sacct, sdiag, scontrol show.

They run as one account, here or on a submit host; what is done for one user goes through a
:class:`~nearfield.scheduler.submitters.Submitter`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from nearfield.config import Cluster
from nearfield.scheduler.commands import Result, query_environment, run


class Queries(Protocol):
    """Where such commands run."""

    async def ask(self, command: str, *args: str, seconds: float) -> Result:
        """What the command answers. Raises SchedulerUnavailableError where nobody does."""
        ...


AT_ONCE = 4


class LocalQueries:
    """On this host, as the account of this process."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        # Threads of its own: a cluster that is down holds each for as long as a command tries, and
        # the process has few others, for everything (names are looked up in them too).
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="slurm")

    async def ask(self, command: str, *args: str, seconds: float) -> Result:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads,
            partial(
                run,
                [str(self._cluster.bin / command), *args],
                env=query_environment(self._cluster.conf),
                timeout=seconds,
            ),
        )
