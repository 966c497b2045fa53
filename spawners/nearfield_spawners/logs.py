"""One line per event: ``event=submitted user=alice profile=small job=4711``.

The fields are also attributes of the record (``nearfield``), for a hub that logs as JSON. Nothing
secret is ever a field: no token, no environment, no URL with a query.
"""

from __future__ import annotations

import logging
from typing import Any


def event(log: Any, name: str, **fields: object) -> None:
    """Log what happened to a session. Fields without a value are left out."""
    told = {"event": name} | {k: str(v) for k, v in fields.items() if v not in {"", None}}
    text = " ".join(f"{key}={_quoted(value)}" for key, value in told.items())
    log.info("%s", text, extra={"nearfield": told})


def _quoted(value: str) -> str:
    """One word as it is, anything else as a JSON string: no value can look like a field."""
    if value and all(c.isalnum() or c in "-_.:/@+" for c in value):
        return value
    import json

    return json.dumps(value[:500])


def adopt(log: Any) -> None:
    """Let the hub's log show what is not said by a spawner: the monitor, the configuration."""
    ours = logging.getLogger("nearfield")
    if isinstance(log, logging.Logger) and ours.parent is not log and log is not ours:
        ours.parent = log
        ours.setLevel(log.level)
