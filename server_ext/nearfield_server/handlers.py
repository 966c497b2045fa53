"""Thin handlers: check the body, ask the run manager, answer JSON."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tornado import web

from nearfield.api import session_add, session_datasets
from nearfield.config import in_words
from nearfield.datasets import Pid
from nearfield.errors import (
    BlockedError,
    CatalogueUnavailableError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
    NearfieldError,
    UnknownNameError,
    UsageError,
)
from nearfield.session_data import SessionDataset
from nearfield_server.runs import RunManager, RunRequest

# The first that fits.
_STATUS: tuple[tuple[type[NearfieldError], int], ...] = (
    (UnknownNameError, 404),
    (DatasetNotFoundError, 404),
    (DatasetNotPermittedError, 403),
    (CatalogueUnavailableError, 503),
    (BlockedError, 409),
    (UsageError, 400),
)


class _Handler(APIHandler):
    auth_resource = "nearfield"

    @property
    def runs(self) -> RunManager:
        manager: RunManager = self.settings["nearfield_runs"]
        return manager

    def answer(self, data: Any, status: int = 200) -> None:
        self.set_status(status)
        self.finish(json.dumps(data))

    def refuse(self, error: NearfieldError) -> None:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        self.set_status(status)
        self.finish(json.dumps({"message": error.message, "hint": error.hint, "reason": None}))


def _image_warnings() -> list[str]:
    """What the job has to say about the image and the user's layer."""
    try:
        told = json.loads(Path(os.environ["NEARFIELD_SESSION_DIR"], "image.json").read_text())
        return [str(text) for text in told["warnings"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


class SessionHandler(_Handler):
    """``GET session``: what this session is and has."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer(
            {
                "profile": os.environ.get("NEARFIELD_PROFILE"),
                "job": os.environ.get("NEARFIELD_JOB"),
                "data": os.environ.get("NEARFIELD_DATA"),
                "image": os.environ.get("NEARFIELD_IMAGE"),
                "image_digest": os.environ.get("NEARFIELD_IMAGE_DIGEST"),
                "image_verdict": os.environ.get("NEARFIELD_IMAGE_VERDICT"),
                "image_signer": os.environ.get("NEARFIELD_IMAGE_SIGNER"),
                "image_warnings": _image_warnings(),
                "layer": os.environ.get("NEARFIELD_LAYER"),
            }
        )


class DatasetsAdded(BaseModel):
    """Body of ``POST session/datasets``."""

    model_config = ConfigDict(extra="forbid")

    datasets: tuple[Pid, ...] = Field(min_length=1, max_length=200)


class SessionDatasetsHandler(_Handler):
    """``GET session/datasets``, ``POST session/datasets``: what is in ``$NEARFIELD_DATA``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self._answer_with(session_datasets)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        try:
            wanted = DatasetsAdded.model_validate_json(self.request.body or b"{}")
        except ValidationError as error:
            raise web.HTTPError(400, explain(error)) from None
        await self._answer_with(lambda: session_add(wanted.datasets))

    async def _answer_with(self, work: Callable[[], list[SessionDataset]]) -> None:
        try:
            # File systems may be slow; the server answers others meanwhile.
            found = await asyncio.to_thread(work)
        except NearfieldError as error:
            self.refuse(error)
            return
        self.answer({"datasets": [one.model_dump(mode="json") for one in found]})


def explain(error: ValidationError) -> str:
    """What of a body does not fit, without its values."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'body'}: {in_words(e)}"
        for e in error.errors(include_url=False, include_input=False)
    )


class RunsHandler(_Handler):
    """``GET runs``, ``POST runs``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer([run.model_dump(mode="json") for run in self.runs.all()])

    @web.authenticated
    @authorized
    async def post(self) -> None:
        try:
            request = RunRequest.model_validate_json(self.request.body or b"{}")
        except ValidationError as error:
            raise web.HTTPError(400, explain(error)) from None
        run = await self.runs.start(request)
        self.answer(run.model_dump(mode="json"), 201)


class RunHandler(_Handler):
    """``GET runs/ID``."""

    @web.authenticated
    @authorized
    async def get(self, key: str) -> None:
        try:
            self.answer(self.runs.get(key).model_dump(mode="json"))
        except NearfieldError as error:
            self.refuse(error)


class PublishHandler(_Handler):
    """``POST runs/ID/publish``."""

    @web.authenticated
    @authorized
    async def post(self, key: str) -> None:
        try:
            run = await self.runs.publish(key)
        except NearfieldError as error:
            self.refuse(error)
            return
        self.answer({"pid": run.published, "run_id": run.run_id})
