"""``/hub/spawn`` with a link's options: they fill in the form and start nothing.

JupyterHub starts a server on ``GET …?opt-…``. Then a link in a mail or an image on a foreign page
could spend somebody's allocation, so here the options of a link are only what the form shows
first; what is posted from it meets the same checks as always.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers import default_handlers
from jupyterhub.handlers.pages import SpawnHandler

from nearfield_spawners.form_fields import from_form

RESERVED = frozenset({"next", "display_name", "_xsrf"})


def options_of_link(arguments: dict[str, list[bytes]]) -> dict[str, Any]:
    """The options in a link's query: ``opt-profile=…``, with or without the prefix."""
    fields: dict[str, list[str]] = {}
    for key, values in arguments.items():
        if key not in RESERVED:
            name = key.removeprefix("opt-")
            fields[name] = fields.get(name, []) + [v.decode("utf-8", "replace") for v in values]
    return from_form(fields)


class SpawnPageHandler(SpawnHandler):  # type: ignore[misc]
    """JupyterHub's own, but a GET never starts anything."""

    preselected: dict[str, Any] | None = None

    def get(self, *args: Any, **kwargs: Any) -> Any:
        arguments = self.request.query_arguments
        self.preselected = options_of_link(arguments) or None
        # What JupyterHub does not see it does not start.
        self.request.query_arguments = {k: v for k, v in arguments.items() if k in RESERVED}
        return super().get(*args, **kwargs)


# Before JupyterHub's own: the first that fits answers.
default_handlers[:0] = [
    (r"/spawn", SpawnPageHandler),
    (r"/spawn/([^/]+)", SpawnPageHandler),
    (r"/spawn/([^/]+)/([^/]+)", SpawnPageHandler),
]
