"""The hub side of Nearfield: the spawner, the queue monitor, the callback.

``c.JupyterHub.spawner_class = "nearfield"`` is all that a hub needs.
"""

from nearfield_spawners import hub_api
from nearfield_spawners._batchspawner import BatchSpawnerBase
from nearfield_spawners.callback import PortHandler
from nearfield_spawners.monitor import QueueMonitor
from nearfield_spawners.spawner import NearfieldSpawner

__all__ = ["BatchSpawnerBase", "NearfieldSpawner", "PortHandler", "QueueMonitor", "hub_api"]
