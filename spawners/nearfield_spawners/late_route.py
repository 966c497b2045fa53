"""The proxy's route to a session that became a server some time after the hub had come back.

On its start JupyterHub gives the proxy its routes once, ten seconds later at most, and again when
it has heard of the last server. One that waits in a queue keeps it from that for hours: what starts
meanwhile would be ready, and not be reached for minutes.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

EARLY_SECONDS = 9.0
"""A little less than what JupyterHub waits for all servers before it makes its routes."""


class LateRoute:
    """Adds the route of ``spawner`` when JupyterHub takes it for ready, if that was late."""

    def __init__(self, spawner: Any) -> None:
        self._spawner = spawner
        self._late = False
        self._asked = 0.0
        self._adding: asyncio.Task[None] | None = None

    def asked_for(self) -> None:
        """The hub has begun to look for the server."""
        self._asked = time.monotonic()

    def waited_for(self) -> None:
        """The hub was told the server's address only after it had asked for it."""
        self._late = True

    def ready(self) -> None:
        """JupyterHub has noted the address and takes the server for a running one."""
        slow = self._asked and time.monotonic() - self._asked > EARLY_SECONDS
        late, self._late, self._asked = self._late or slow, False, 0.0
        if late:
            self._adding = asyncio.create_task(self._add())

    async def _add(self) -> None:
        spawner = self._spawner
        if not spawner.ready:  # stopped already
            return
        try:
            await spawner.user.settings["proxy"].add_user(spawner.user, spawner.name)
        except Exception as error:
            # The routes are gone over every few minutes; until then the user must wait.
            spawner.log.error("%s has no route in the proxy yet: %s", spawner._log_name, error)
