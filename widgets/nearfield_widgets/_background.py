"""One event loop beside the kernel's: searches go on while a cell runs, and the other way round."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def start(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Run ``work`` there; the future may be cancelled."""
    return asyncio.run_coroutine_threadsafe(work, _running())


def _running() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 - one for all widgets of a kernel
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            # A daemon: a kernel that ends does not wait for a hung catalogue.
            thread = threading.Thread(target=_loop.run_forever, daemon=True)
            thread.name = "nearfield-widgets"
            thread.start()
        return _loop
