"""The extension application."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from nearfield_server.handlers import (
    PublishHandler,
    RunHandler,
    RunsHandler,
    SessionDatasetsHandler,
    SessionHandler,
)
from nearfield_server.runs import RunManager


class NearfieldExtension(ExtensionApp):
    """``<base_url>/nearfield/api/…``; described in docs/reference/server-api.md."""

    name = "nearfield"
    runs_folder = Unicode(
        "nearfield-runs", help="Where runs write, below the server's root folder."
    ).tag(config=True)

    def initialize_settings(self) -> None:
        assert self.serverapp is not None, "Jupyter links the extension to its server first"  # noqa: S101
        root = Path(self.serverapp.root_dir) / self.runs_folder
        self.settings["nearfield_runs"] = RunManager(root)

    def initialize_handlers(self) -> None:
        self.handlers.extend(
            [
                (r"/nearfield/api/session", SessionHandler),
                (r"/nearfield/api/session/datasets", SessionDatasetsHandler),
                (r"/nearfield/api/runs", RunsHandler),
                (r"/nearfield/api/runs/([0-9a-f]{12})", RunHandler),
                (r"/nearfield/api/runs/([0-9a-f]{12})/publish", PublishHandler),
            ]
        )

    async def stop_extension(self) -> None:
        await self.settings["nearfield_runs"].stop_all()
