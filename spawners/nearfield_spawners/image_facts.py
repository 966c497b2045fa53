"""What the hub knows of a session's image: its default URL before, its digest after a start."""

from __future__ import annotations

import asyncio
from typing import Any

from nearfield.config import EnvironmentConfig
from nearfield.errors import NearfieldError
from nearfield.scheduler import JobId, Scheduler
from nearfield.scheduler.images import read_card

TRIES = 3


async def default_url(environment: EnvironmentConfig) -> str:
    """What a session opens first: by the configuration, else by the image's card; or ""."""
    if environment.default_url or environment.image is None:
        return environment.default_url or ""
    return (await asyncio.to_thread(read_card, environment)).default_url


async def ask_for_image(scheduler: Scheduler, job: JobId, name: str) -> dict[str, Any]:
    """Path, digest, verdict, signers and warnings; empty where nobody can tell now.

    Asked in the background, once the server has started: nobody waits for it.
    """
    for pause in range(TRIES):
        await asyncio.sleep(pause)
        try:
            if found := await scheduler.image(job, name):
                return found
        except NearfieldError:
            continue
    return {}
