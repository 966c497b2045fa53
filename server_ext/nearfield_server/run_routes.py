"""``runs…``: start a template over datasets, look at it, publish what it made."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from tornado import web

from nearfield_server.handler import Handler
from nearfield_server.models import Published
from nearfield_server.runs import RunManager, RunRequest


class _OfRuns(Handler):
    @property
    def runs(self) -> RunManager:
        manager: RunManager = self.settings["nearfield_runs"]
        return manager


class RunsHandler(_OfRuns):
    """``GET runs``, ``POST runs``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps([run.model_dump(mode="json") for run in self.runs.all()]))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        request = self.body(RunRequest)
        run = await self.runs.start(request)
        self.events.tell(
            "run-started", run=run.id, template=run.template, datasets=len(run.datasets)
        )
        self.answer(run, 201)


class RunHandler(_OfRuns):
    """``GET runs/ID``."""

    @web.authenticated
    @authorized
    async def get(self, key: str) -> None:
        self.answer(self.runs.get(key))


class PublishHandler(_OfRuns):
    """``POST runs/ID/publish``."""

    @web.authenticated
    @authorized
    async def post(self, key: str) -> None:
        run = await self.runs.publish(key)
        pid = str(run.published)
        self.events.tell("run-published", run=run.id, pid=pid)
        self.answer(Published(pid=pid, run_id=run.run_id))
