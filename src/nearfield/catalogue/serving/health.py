"""``GET health``: can the file be read, and is it still the one that was opened?"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from nearfield.catalogue._store import CatalogueStore
from nearfield.catalogue.serving.replies import answer, refused
from nearfield.errors import CatalogueError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

KEPT = 1.0
"""Seconds that a finding counts for: it is asked without a token, by anybody."""
LOG = "the service's log says more"


def health_handler(
    store: CatalogueStore, clock: Callable[[], float] = time.monotonic
) -> Callable[[Request], Awaitable[Response]]:
    """Answers 200, or 503 with the reason. A new reason goes to the log, once."""
    opened = _identity(store)
    one_look = asyncio.Lock()
    found: str | None = None
    until = float("-inf")

    def look() -> str | None:
        now = _identity(store)
        if now is None:
            return "its file is gone"
        if now != opened:
            # Searches would read the new one, and results go to the old one.
            return "its file was replaced while it is served: start the service again"
        try:
            with store.reading() as connection:
                connection.execute("SELECT 1 FROM dataset LIMIT 1").fetchone()
        except CatalogueError as error:
            return error.message.removeprefix(f"catalogue {store.path}: ")
        return None

    async def handle(_: Request) -> Response:
        nonlocal found, until
        async with one_look:
            if clock() >= until:
                before, found = found, await asyncio.to_thread(look)
                until = clock() + KEPT
                if found and found != before:
                    print(f"catalogue {store.path}: {found}", file=sys.stderr, flush=True)
        return refused(503, f"the catalogue: {found}", LOG) if found else answer('{"status":"ok"}')

    return handle


def _identity(store: CatalogueStore) -> tuple[int, int] | None:
    try:
        facts = store.path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
