"""The Jupyter server extension: Nearfield's REST API inside a session.

A wheel's configuration file enables it wherever the wheel is installed, so this import is light
and a server without the rest still starts.
"""

from __future__ import annotations

from typing import Any

__all__ = ["_jupyter_server_extension_points"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from nearfield_server.extension import NearfieldExtension

    return [{"module": "nearfield_server", "app": NearfieldExtension}]
