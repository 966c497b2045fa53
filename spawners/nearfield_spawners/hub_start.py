"""What a hub does when it starts, before anybody asks for a server.

JupyterHub makes a spawner then for each server that runs, and tells of its start to nothing that
comes with a spawner. A job that is left over has no server any more. So the hub's own step for
spawners is made to look for these first.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import Any

from nearfield_spawners.leftover_table import leftovers_in
from nearfield_spawners.logs import adopt
from nearfield_spawners.spawner import NearfieldSpawner


def attend(hub: Any) -> None:
    """Have each hub of this class go on with what the hub before left."""
    init_spawners = hub.init_spawners

    @functools.wraps(init_spawners)
    async def with_leftovers(app: Any) -> Any:
        go_on(app)
        try:
            return await init_spawners(app)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Somebody has stopped a session that was still waited for. The other checks go on, and
            # the rest of the hub's start must too.
            return 0

    hub.init_spawners = with_leftovers


def go_on(app: Any) -> None:
    """Cancel what was left over, unless this hub's spawners are others."""
    if issubclass(app.spawner_class, NearfieldSpawner):
        adopt(app.log)
        leftovers_in(app.db.get_bind(), config_file_of(app))


def config_file_of(app: Any) -> str:
    """``config_file`` as the hub's spawners will have it."""
    file = ""
    for section in app.spawner_class.section_names():  # the class's own comes last
        file = str(app.config.get(section, {}).get("config_file", file))
    return file


# A hub has this loaded before us, for it is the hub that loads its spawners; to load it takes a
# second, and no other program needs it.
_hub = getattr(sys.modules.get("jupyterhub.app"), "JupyterHub", None)
if hasattr(_hub, "init_spawners"):
    attend(_hub)
