"""What the hub knows of a session's image: its default URL before, its digest after a start."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from nearfield.config import EnvironmentConfig
from nearfield.errors import NearfieldError
from nearfield.scheduler import JobId, Scheduler
from nearfield.scheduler.images import Card, read_card
from nearfield_spawners.looks import Looks

TRIES = 3

_LOOKS: Looks[Card] = Looks()


async def default_url(environment: EnvironmentConfig) -> str:
    """What a session opens first: by the configuration, else by the image's card; or "".

    An image that does not answer now has none: no start waits long for it.
    """
    if environment.default_url or environment.image is None:
        return environment.default_url or ""
    asked = (environment.apptainer, environment.image)
    card = await _LOOKS.at(asked, partial(read_card, environment))
    return card.default_url if card else ""


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
