"""The hub side of Nearfield: the spawner, the queue monitor, the callback.

``c.JupyterHub.spawner_class = "nearfield"`` is all that a hub needs;
``c.JupyterHub.template_paths = [nearfield_spawners.templates()]`` gives it our pages too.
"""

from nearfield_spawners import hub_api, hub_start
from nearfield_spawners._batchspawner import BatchSpawnerBase
from nearfield_spawners.assets import AssetHandler, templates
from nearfield_spawners.callback import PortHandler
from nearfield_spawners.monitor import QueueMonitor
from nearfield_spawners.spawn_page import SpawnPageHandler
from nearfield_spawners.spawner import NearfieldSpawner

__all__ = [
    "AssetHandler",
    "BatchSpawnerBase",
    "NearfieldSpawner",
    "PortHandler",
    "QueueMonitor",
    "SpawnPageHandler",
    "hub_api",
    "hub_start",
    "templates",
]
