"""URLs compared: is this one of those, or below one of them?"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def origin_and_path(url: str) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path of an http(s) URL; None if it is not a plain one.

    A path with '.' components, or one that hides them by %-escapes, is not: servers and clients
    read it differently.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return None
    odd = any(c <= " " or c in "\\\x7f" for c in url) or not url.isascii()
    if odd or parts.scheme not in _PORTS or not host or not port or parts.username is not None:
        return None
    if "%2e" in parts.path.lower() or {".", ".."} & set(parts.path.split("/")):
        return None
    return parts.scheme, host, port, parts.path or "/"


def is_below(url: str, prefixes: Iterable[str]) -> bool:
    """Does ``url`` have the scheme, host and port of a prefix, and a path below the prefix's?"""
    given = origin_and_path(url)
    if given is None:
        return False
    for prefix in prefixes:
        allowed = origin_and_path(prefix)
        if allowed is None or allowed[:3] != given[:3]:
            continue
        folder = allowed[3].rstrip("/")
        if given[3] == folder or given[3].startswith(folder + "/"):
            return True
    return False
