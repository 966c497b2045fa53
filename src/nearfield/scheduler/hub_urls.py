"""Where a session may be told to send its tokens: below ``launcher.hub_urls``, if that is set.

Without it a stolen hub account can hand a session another address to report to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nearfield.config.addresses import is_below

# Where a server sends its tokens, or sends its users to log in.
_ADDRESSES = frozenset(
    {
        "JUPYTERHUB_ACTIVITY_URL",
        "JUPYTERHUB_API_URL",
        "JUPYTERHUB_HOST",
        "JUPYTERHUB_PUBLIC_HUB_URL",
        "JUPYTERHUB_PUBLIC_URL",
    }
)
_LISTENS_AT = "JUPYTERHUB_SERVICE_URL"
"""Where the server itself listens: host and port are made on the node."""
HINT = "list the hub's addresses in launcher.hub_urls of the launcher's nearfield.yaml"


def not_the_hubs(
    environment: Mapping[str, str], callback_url: str | None, allowed: tuple[str, ...] | None
) -> str | None:
    """The field of a session's task that names an address outside ``allowed``; None if all fit."""
    if allowed is None:
        return None
    for name in sorted(environment.keys() - {_LISTENS_AT}):
        value = environment[name]
        named = name in _ADDRESSES or (name.startswith("NEARFIELD_") and name.endswith("_URL"))
        if value and (named or "://" in value) and not is_below(value, allowed):
            return f"environment.{name}"
    # Joined to the public address, two slashes would make a host of it.
    base = environment.get("JUPYTERHUB_BASE_URL", "/")
    if not re.fullmatch(r"/(?!/)[\x21-\x5b\x5d-\x7e]*", base):
        return "environment.JUPYTERHUB_BASE_URL"
    if callback_url is not None and not is_below(callback_url, allowed):
        return "callback_url"
    return None
