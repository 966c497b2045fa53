"""batchspawner's base class, without its API route.

Importing batchspawner registers ``POST /hub/api/batchspawner``, which sets any attribute of a
spawner from a JSON body authenticated with the user's own server token: setting
``batch_query_cmd`` runs a command of the user's choice as the hub. The route is taken off the
list before JupyterHub builds its handlers. batchspawner is imported nowhere else.
"""

from __future__ import annotations

from typing import Any

import batchspawner
from batchspawner.api import BatchSpawnerAPIHandler
from jupyterhub import apihandlers


class BatchSpawnerBase(batchspawner.BatchSpawnerBase):  # type: ignore[misc]
    """The base class with every path that builds or runs a shell string closed."""

    async def run_command(self, cmd: str, input: Any = None, env: Any = None) -> str:  # noqa: A002
        """batchspawner hands a string to a shell here. This spawner never does."""
        raise RuntimeError("NearfieldSpawner runs no shell command")

    async def submit_batch_script(self) -> str:
        raise RuntimeError("NearfieldSpawner submits JobSpecs, not templates")

    async def query_job_status(self) -> Any:
        raise RuntimeError("NearfieldSpawner reads the queue monitor")

    async def cancel_batch_job(self) -> None:
        raise RuntimeError("NearfieldSpawner cancels through the scheduler")


def remove_route(handlers: list[tuple[Any, ...]]) -> None:
    """Take every entry of batchspawner's handler off a list of routes, in place."""
    handlers[:] = [
        entry
        for entry in handlers
        if not (isinstance(entry[1], type) and issubclass(entry[1], BatchSpawnerAPIHandler))
    ]


remove_route(apihandlers.default_handlers)
