"""What a server tells its event log (jupyter_events): that something was done, never by whom.

The schemas are in ``event_schemas``. Words that somebody searched for, titles, paths and parameters
are in no event: an administrator collects them from every server.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).with_name("event_schemas")
BASE = "https://nearfield.example/events"
log = logging.getLogger("nearfield.events")


class Events:
    """Tells the server's event logger; a log that fails keeps no request from its answer."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        for path in sorted(SCHEMAS.glob("*.yaml")):
            logger.register_event_schema(path)

    def tell(self, name: str, **data: Any) -> None:
        """One event; ``name`` is the file name of its schema."""
        try:
            self._logger.emit(schema_id=f"{BASE}/{name}", data=data)
        except Exception as error:
            log.warning("event %s was not logged: %s", name, type(error).__name__)
