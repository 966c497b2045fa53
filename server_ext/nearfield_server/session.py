"""``GET session`` and ``session/datasets``: what this session is, has, and for how long."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from pydantic import BaseModel, ConfigDict, Field
from tornado import web

from nearfield.api import session_add, session_datasets
from nearfield.datasets import Pid
from nearfield.session_data import SessionDataset
from nearfield_server.handler import Handler
from nearfield_server.models import SessionAnswer, SessionDatasetsAnswer


class SessionHandler(Handler):
    """``GET session``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer(session_now(time.time()))


def session_now(now: float) -> SessionAnswer:
    """What the job told the server in its environment."""
    said = os.environ.get
    ends = _ends(said("NEARFIELD_ENDS"))
    return SessionAnswer(
        profile=said("NEARFIELD_PROFILE"),
        environment=said("NEARFIELD_ENVIRONMENT"),
        job=said("NEARFIELD_JOB"),
        node=socket.gethostname(),
        ends=ends,
        remaining_seconds=None if ends is None else max(0.0, ends - now),
        warning=_warning(),
        data=said("NEARFIELD_DATA"),
        image=said("NEARFIELD_IMAGE"),
        image_digest=said("NEARFIELD_IMAGE_DIGEST"),
        image_verdict=said("NEARFIELD_IMAGE_VERDICT"),
        image_signer=said("NEARFIELD_IMAGE_SIGNER"),
        image_warnings=_image_warnings(),
        layer=said("NEARFIELD_LAYER"),
    )


def _ends(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _image_warnings() -> tuple[str, ...]:
    """What the job has to say about the image and the user's layer."""
    try:
        return tuple(str(text) for text in _told("image.json")["warnings"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _warning() -> str | None:
    """The last warning that the time limit is near, as the job wrote it."""
    try:
        return str(_told("warning.json")["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _told(name: str) -> Any:
    return json.loads(Path(os.environ["NEARFIELD_SESSION_DIR"], name).read_text(encoding="utf-8"))


class DatasetsAdded(BaseModel):
    """Body of ``POST session/datasets``."""

    model_config = ConfigDict(extra="forbid")

    datasets: tuple[Pid, ...] = Field(min_length=1, max_length=200)


class SessionDatasetsHandler(Handler):
    """``GET session/datasets``, ``POST session/datasets``: what is in ``$NEARFIELD_DATA``."""

    blocked_status = 409
    """It is this session that lacks a storage: another one may have it."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self._answer_with(session_datasets)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        wanted = self.body(DatasetsAdded)
        await self._answer_with(lambda: session_add(wanted.datasets))

    async def _answer_with(self, work: Callable[[], list[SessionDataset]]) -> None:
        # File systems may be slow; the server answers others meanwhile.
        found = await asyncio.to_thread(work)
        self.answer(SessionDatasetsAnswer(datasets=tuple(found)))
