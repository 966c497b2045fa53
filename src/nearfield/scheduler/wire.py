"""What the hub and the launcher say to each other: one JSON object in, one out.

::

    {"version": 1, "verb": "submit", "cluster": "lab", "spec": {…}}
    {"ok": true, "result": "4711"}
    {"ok": false, "error": {"kind": "SubmitError", "message": "…", "hint": null}}

Secrets travel on standard input only: arguments and environment of a process can be seen.
"""

from __future__ import annotations

import json
import re
from typing import Any

from nearfield import errors
from nearfield.errors import NearfieldError, SchedulerError, SchedulerUnavailableError

VERSION = 1
MAX_REQUEST = 4 * 1024 * 1024
MAX_WORDS = 2000
JOB_PREFIX = "nearfield-"
SESSION_NAME = f"{JOB_PREFIX}<16 hexadecimal digits>"
"""Jobs of other names are not the launcher's to touch."""
GATEWAY_NAME = "nearfield-gateway"
GATEWAY = f"{GATEWAY_NAME}/{VERSION}"
"""Begins the first line that a submit host's gateway is told (:mod:`nearfield.gateway`)."""
FIELDS: dict[str, frozenset[str]] = {
    "submit": frozenset({"spec"}),
    "cancel": frozenset({"number"}),
    "status": frozenset({"numbers"}),
    "find": frozenset({"name"}),
    "withdraw": frozenset({"name"}),
    "log_tail": frozenset({"name", "lines"}),
    "access": frozenset({"paths"}),
    "image": frozenset({"name"}),
    "examine": frozenset(),
    "estimate": frozenset({"spec"}),
}
"""Every verb and what it takes besides version, verb and cluster."""

_KINDS = (
    "SubmitError",
    "ImageRefusedError",
    "SchedulerUnavailableError",
    "SpecRefusedError",
    "SchedulerError",
    "ConfigError",
)


def is_session_name(name: str) -> bool:
    """Is it a name that only a session has? A prefix alone is anybody's."""
    return re.fullmatch(rf"{JOB_PREFIX}[0-9a-f]{{16}}", name) is not None


def request(verb: str, cluster: str, **fields: Any) -> str:
    return json.dumps({"version": VERSION, "verb": verb, "cluster": cluster, **fields})


def answer(result: Any) -> str:
    return json.dumps({"ok": True, "result": result})


def failure(error: NearfieldError) -> str:
    name = type(error).__name__
    kind = name if name in _KINDS else "SchedulerError"
    return json.dumps(
        {"ok": False, "error": {"kind": kind, "message": error.message, "hint": error.hint}}
    )


def read_answer(text: str) -> Any:
    """The result of an answer.

    Raises:
        SchedulerError: of the launcher's kind, or because the answer is none.
    """
    try:
        data = json.loads(text)
        if data["ok"]:
            return data["result"]
        error = data["error"]
        kind, message = str(error["kind"]), str(error["message"])
        hint = None if error.get("hint") is None else str(error["hint"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise SchedulerUnavailableError(
            f"the launcher's answer cannot be read: {text[:200]!r}",
            hint="do hub and launcher run the same release of nearfield?",
        ) from problem
    found = getattr(errors, kind) if kind in _KINDS else SchedulerError
    if not issubclass(found, SchedulerError):
        # The launcher's configuration is broken: for who asks, a scheduler out of order.
        found = SchedulerUnavailableError
    # Some of it is shown, logged and kept: no more than a person would read.
    raise found(one_line(message, MAX_WORDS), hint=hint and one_line(hint, MAX_WORDS))


def one_line(text: str, most: int) -> str:
    """Words of a user's process for logs, pages and terminals: no line of its own, no escape."""
    return "".join(c if c.isprintable() else " " for c in text[:most]).strip()
