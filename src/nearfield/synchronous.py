"""Work with the catalogues from synchronous code: the public functions are called from cells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from nearfield.catalogue import Catalogue
    from nearfield.config import Config

T = TypeVar("T")


def with_catalogue(
    config: Config | None,
    catalogue: str | Path | None,
    work: Callable[[Catalogue], Awaitable[T]],
) -> T:
    """What ``work`` gives; also in a notebook's cell, where this thread's loop is running.

    Args:
        config: Instead of the one that is found.
        catalogue: A catalogue file instead of the configured catalogues.
        work: Given them, open; they are closed when it is done.
    """
    from nearfield.catalogue import open_catalogue
    from nearfield.config import load_config

    async def whole() -> T:
        file = Path(catalogue) if catalogue is not None else None
        source = open_catalogue(config or load_config(), file=file)
        try:
            return await work(source)
        finally:
            await source.aclose()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(whole())
    # In a notebook cell this thread's loop is running already.
    with ThreadPoolExecutor(1, thread_name_prefix="nearfield") as pool:
        return pool.submit(lambda: asyncio.run(whole())).result()


def target_of(config: Config, catalogue: str | Path | None) -> str:
    """Which catalogue that is, in words that stay the same from attempt to attempt."""
    if catalogue is None and config.catalogue.driver == "service":
        return f"{config.catalogue.name} {config.catalogue.url}"
    file = Path(catalogue) if catalogue is not None else config.catalogue.file
    return f"{config.catalogue.name} {file.expanduser().resolve()}"
