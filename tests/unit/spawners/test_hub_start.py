"""What the hub before left is gone on with although nobody has, or starts, a server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.app import JupyterHub
from sqlalchemy import inspect
from traitlets.config import Config as HubConfig

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import Hardware, JobSpec, JobState, SessionTask
from nearfield_spawners import NearfieldSpawner, hub_start, leftover_table
from nearfield_spawners.leftovers import Leftover, Leftovers

Lab = Any


class OfASite(NearfieldSpawner):
    """A site may have a class of its own."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/jupyterhub.sqlite"


class Hub(JupyterHub):
    """As a hub process has it."""


hub_start.attend(Hub)


@pytest.fixture
def hub(lab: Lab, url: str) -> Iterator[Hub]:
    """One that has read its configuration and opened its database."""
    app = Hub(
        config=HubConfig(
            JupyterHub={
                "spawner_class": "nearfield",
                "db_url": url,
                "tornado_settings": {"its": "own"},
            },
            NearfieldSpawner={"config_file": str(lab.file)},
        )
    )
    app.init_db()
    yield app
    app.db.close()
    app.db.get_bind().dispose()


def leave(url: str, *left: Leftover) -> None:
    """As a hub that has ended."""
    engine = orm.new_session_factory(url)().get_bind()
    kept = Leftovers(lambda _: None, lambda: None)  # type: ignore[arg-type,return-value]
    kept.load([one.model_dump() for one in left])
    leftover_table.LeftoverTable(engine).save(kept)
    engine.dispose()


async def test_a_hub_cancels_what_was_left_before_there_is_any_server(
    lab: Lab, hub: Hub, url: str, holds: Any
) -> None:
    spec = JobSpec(
        name="nearfield-0123456789abcdef",
        cluster="lab",
        user="alice",
        profile="small",
        hardware=Hardware(),
        task=SessionTask(),
    )
    job = await lab.scheduler.submit(spec)
    leave(url, Leftover(cluster="lab", user="alice", name=spec.name, number=job.number))
    lab.scheduler.fails["cancel"] = SchedulerUnavailableError("scancel: no answer")
    assert await hub.init_spawners() == 0
    await holds(lambda: lab.scheduler.calls.count("cancel") == 1)
    assert lab.scheduler.job(spec.name).outcome is None
    kept = leftover_table._shared[hub.db.get_bind()]
    del lab.scheduler.fails["cancel"]
    kept._next.clear()
    await kept.try_once("lab")
    assert lab.scheduler.job(spec.name).outcome == (JobState.CANCELLED, None)
    assert lab.user.spawners == {}


async def test_a_hub_of_other_spawners_gets_no_table_of_ours(hub: Hub) -> None:
    hub.spawner_class = "simple"
    await hub.init_spawners()
    assert not inspect(hub.db.get_bind()).has_table("nearfield_leftovers")


def test_the_configuration_file_is_that_of_the_hubs_spawners(hub: Hub, lab: Lab) -> None:
    assert hub_start.config_file_of(hub) == str(lab.file)
    hub.config.OfASite.config_file = "/etc/other.yaml"
    assert hub_start.config_file_of(hub) == str(lab.file)
    hub.spawner_class = OfASite
    assert hub_start.config_file_of(hub) == "/etc/other.yaml"


HUB = """
import asyncio, json, sys
from jupyterhub.app import JupyterHub

async def starts():
    app = JupyterHub.instance()
    await app.initialize(["-f", sys.argv[1]])
    from nearfield_spawners.leftover_table import _shared
    print(json.dumps([[*left.dump(), *left._tasks] for left in _shared.values()]))

asyncio.run(starts())
"""


def test_the_spawners_name_is_all_that_a_hub_needs_for_it(tmp_path: Path, url: str) -> None:
    left = Leftover(cluster="lab", user="alice", name="nearfield-0123456789abcdef", number="17")
    leave(url, left)
    file = tmp_path / "jupyterhub_config.py"
    file.write_text(f"c.JupyterHub.spawner_class = 'nearfield'\nc.JupyterHub.db_url = {url!r}\n")
    done = subprocess.run(
        [sys.executable, "-c", HUB, str(file)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [[left.model_dump(), "lab"]]


async def test_the_stop_of_one_session_that_waits_is_no_end_of_the_hubs_start(lab: Lab) -> None:
    class Checking:
        """JupyterHub's start, in outline: all checks are awaited together."""

        spawner_class = object

        def __init__(self, *checks: Any) -> None:
            self.checks = [asyncio.ensure_future(check) for check in checks]

        async def init_spawners(self) -> int:
            await asyncio.gather(*self.checks)
            return len(self.checks)

    async def stopped() -> None:
        raise asyncio.CancelledError

    other = asyncio.Event()
    hub_start.attend(Checking)
    hub = Checking(stopped(), other.wait())
    assert await hub.init_spawners() == 0
    other.set()
    assert await hub.checks[1] is True

    started = asyncio.create_task(Checking(asyncio.Event().wait()).init_spawners())
    await asyncio.sleep(0)
    started.cancel()  # the hub itself ends
    with pytest.raises(asyncio.CancelledError):
        await started
