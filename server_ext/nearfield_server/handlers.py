"""Thin handlers: check the body, ask the run manager, answer JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from pydantic import ValidationError
from tornado import web

from nearfield.errors import NearfieldError, UnknownNameError, UsageError
from nearfield_server.runs import RunManager, RunRequest


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
        status = (
            404
            if isinstance(error, UnknownNameError)
            else 400
            if isinstance(error, UsageError)
            else 500
        )
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
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}"
                for e in error.errors(include_url=False, include_input=False)
            )
            raise web.HTTPError(400, problems) from None
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
