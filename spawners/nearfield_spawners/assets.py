"""What the pages load: the bundle of ``js/``, served by the hub itself.

Every file bears its hash in its name, so browsers keep it for ever and a new release is a new
name. Where the bundle was not built the pages work as they do without JavaScript.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from jupyterhub.handlers import default_handlers
from tornado import web

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"
ROUTE = "/nearfield/static/"

log = logging.getLogger("nearfield.assets")


def templates() -> str:
    """The folder for ``c.JupyterHub.template_paths``."""
    return str(TEMPLATES)


def manifest(folder: Path = STATIC) -> dict[str, str]:
    """File names by what they are: ``{"spawn.js": "spawn-….js", …}``; empty without a bundle.

    Read each time: an upgrade may put another bundle there while the hub runs.
    """
    try:
        found = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        log.warning("the pages have no bundle and work without JavaScript: %s", error)
        return {}
    return {str(name): str(path) for name, path in found.items()}


def asset_urls(base_url: str) -> dict[str, str]:
    """The address of every file of the bundle, below the hub's own."""
    return {name: f"{base_url.rstrip('/')}{ROUTE}{path}" for name, path in manifest().items()}


class AssetHandler(web.StaticFileHandler):
    """Files of the bundle and nothing else; they hold no secret, so nobody has to log in."""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        if Path(absolute_path).name not in manifest().values():
            raise web.HTTPError(404)
        return super().validate_absolute_path(root, absolute_path)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("X-Content-Type-Options", "nosniff")


default_handlers.append((f"{ROUTE}([A-Za-z0-9.-]+)", AssetHandler, {"path": str(STATIC)}))
