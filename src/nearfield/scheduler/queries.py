"""Slurm's reading commands for the whole hub: squeue, sinfo, sacct, sdiag, scontrol show.

They run as one account, here or on a submit host; what is done for one user goes through a
:class:`~nearfield.scheduler.submitters.Submitter`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from nearfield.config import Cluster
from nearfield.scheduler.commands import Result, query_environment, run


class Queries(Protocol):
    """Where such commands run."""

    async def ask(self, command: str, *args: str, seconds: float) -> Result:
        """What the command answers. Raises SchedulerUnavailableError where nobody does."""
        ...


class LocalQueries:
    """On this host, as the account of this process."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def ask(self, command: str, *args: str, seconds: float) -> Result:
        return await asyncio.to_thread(
            run,
            [str(self._cluster.bin / command), *args],
            env=query_environment(self._cluster.conf),
            timeout=seconds,
        )
