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

BatchSpawnerBase: Any = batchspawner.BatchSpawnerBase


def remove_route(handlers: list[tuple[Any, ...]]) -> None:
    """Take every entry of batchspawner's handler off a list of routes, in place."""
    handlers[:] = [
        entry
        for entry in handlers
        if not (isinstance(entry[1], type) and issubclass(entry[1], BatchSpawnerAPIHandler))
    ]


remove_route(apihandlers.default_handlers)
