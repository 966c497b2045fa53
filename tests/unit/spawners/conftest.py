"""A spawner as JupyterHub makes it, over a scheduler in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from nearfield.testing.fake_scheduler import FakeJob, FakeScheduler
from nearfield_spawners import NearfieldSpawner, starting
from nearfield_spawners.live_config import LiveConfig

TOKEN = "5ecret-0f-the-server"  # what must be found nowhere
SITE = """
clusters: {{lab: {{scheduler: local, poll_seconds: 0.001, when_down: {when_down}}}}}
environments: {{plain: {{}}}}
hardware: {{one: {{cluster: lab, partition: short, minutes: 60}}}}
sessions: {{named: true, per_user: 100}}
profiles: {{small: {{environment: plain, hardware: one}}}}
"""


@dataclass
class Lab:
    """One user's servers on a cluster in memory."""

    file: Path
    scheduler: FakeScheduler = field(default_factory=lambda: FakeScheduler(cluster="lab"))
    token: str = TOKEN
    user: Any = field(default_factory=lambda: SimpleNamespace(name="alice", groups=[], spawners={}))

    def __post_init__(self) -> None:
        self.write("refuse")

    def write(self, when_down: str) -> None:
        self.file.write_text(SITE.format(when_down=when_down))
        live = LiveConfig.of(str(self.file))
        live._config = live.config
        live._schedulers["lab"] = self.scheduler
        live._monitors.pop("lab", None)
        live.monitor("lab").least_seconds = 0.0

    @property
    def live(self) -> LiveConfig:
        return LiveConfig.of(str(self.file))

    def spawner(
        self, name: str = "", state: dict[str, Any] | None = None, row: orm.Spawner | None = None
    ) -> Any:
        """A new object, as a hub makes it after a restart. ``row``: of the hub's database."""
        row = orm.Spawner(name=name, state=state) if row is None else row
        spawner = NearfieldSpawner(config_file=str(self.file), orm_spawner=row)
        spawner.user = self.user
        spawner.api_token = TOKEN
        spawner.get_env = lambda: {
            "JUPYTERHUB_API_URL": "http://hub/hub/api",
            "JUPYTERHUB_API_TOKEN": TOKEN,
        }
        spawner.user_options = {"profile": "small"}
        spawner._start_pending = True
        spawner.load_state(state or {})
        self.user.spawners[name] = spawner
        return spawner

    async def running(self, name: str = "") -> Any:
        """A session whose server listens."""
        self.scheduler.queue_seconds = 0
        spawner = self.spawner(name)
        start = asyncio.create_task(spawner.start())
        await self.submitted(spawner)
        spawner.accept_port(5000)
        await start
        spawner._start_pending = False
        return spawner

    async def submitted(self, spawner: Any) -> FakeJob:
        """The spawner's job, once there is one."""
        await until(
            lambda: any(j.spec.name == spawner.job_name for j in self.scheduler.jobs.values())
        )
        return self.scheduler.job(spawner.job_name)


async def until(true: Callable[[], bool], turns: int = 2000) -> None:
    """Let others run until something holds. No clock decides."""
    for _ in range(turns):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to hold")


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    async def in_reach(_url: str) -> bool:
        return True

    monkeypatch.setattr(starting, "in_reach", in_reach)
    made = Lab(tmp_path / "nearfield.yaml")
    yield made
    for monitor in made.live._monitors.values():
        monitor.close()


@pytest.fixture
def holds() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    return until
