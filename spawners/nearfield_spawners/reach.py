"""Is a node in reach of the hub? Asked before a server that does not answer is taken for dead."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

CONNECT_SECONDS = 5.0


async def in_reach(url: str) -> bool:
    """Does the host of ``url`` answer at all: by a connection, or by refusing one?

    False for a network that is down, a name that is not known, packets that get lost.
    """
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except ConnectionRefusedError:
        return True
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True
