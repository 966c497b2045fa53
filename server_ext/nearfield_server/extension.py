"""The extension application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.application import ExtensionApp
from tornado import web
from traitlets import Unicode


class NearfieldExtension(ExtensionApp):
    """``<base_url>/nearfield/api/…``; described in docs/reference/server-api.md."""

    name = "nearfield"
    runs_folder = Unicode(
        "nearfield-runs", help="Where runs write, below the server's root folder."
    ).tag(config=True)
    _working = False

    def initialize_settings(self) -> None:
        assert self.serverapp is not None, "Jupyter links the extension to its server first"  # noqa: S101
        try:
            # Late: whatever is missing, the server itself starts, and says what it is.
            from nearfield_server.access import CatalogueAccess
            from nearfield_server.events import Events
            from nearfield_server.inside.looker import Looker
            from nearfield_server.preview import Pictures
            from nearfield_server.routes import tornado_routes
            from nearfield_server.runs import RunManager

            root = Path(self.serverapp.root_dir) / self.runs_folder
            self.settings["nearfield_runs"] = RunManager(root)
            self.settings["nearfield_access"] = CatalogueAccess()
            self.settings["nearfield_looker"] = Looker()
            self.settings["nearfield_pictures"] = Pictures()
            self.settings["nearfield_events"] = Events(self.serverapp.event_logger)
            self._routes: list[tuple[str, Any]] = list(tornado_routes())
            self._working = True
        except Exception as error:
            missing = f"{type(error).__name__}: {error}"
            self.log.error("nearfield: the REST API does not work here: %s", missing)
            self.settings["nearfield_missing"] = missing
            self._routes = [(r"/nearfield/api/.*", BlockedHandler)]

    def initialize_handlers(self) -> None:
        self.handlers.extend(self._routes)

    async def stop_extension(self) -> None:
        if self._working:
            await self.settings["nearfield_runs"].stop_all()
            await self.settings["nearfield_access"].aclose()
            await self.settings["nearfield_looker"].aclose()


class BlockedHandler(APIHandler):
    """Stands for every route where Nearfield cannot be loaded, and says what is missing."""

    auth_resource = "nearfield"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self._blocked()

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self._blocked()

    def _blocked(self) -> None:
        self.set_status(503)
        self.set_header("Cache-Control", "no-store")
        said = {
            "message": f"Nearfield cannot be loaded here: {self.settings['nearfield_missing']}",
            "hint": "tell the administrators of this hub",
            "reason": "blocked",
        }
        self.finish(json.dumps(said))
