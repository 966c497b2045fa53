"""A job that could not be cancelled outlives its server's row, its user and the hub's process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import text
from sqlalchemy.orm import Session

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import JobState
from nearfield_spawners import leftover_table

Lab = Any


@pytest.fixture
def database() -> Iterator[Session]:
    """As JupyterHub makes it."""
    session: Session = orm.new_session_factory("sqlite:///:memory:")()
    yield session
    session.close()
    assert session.bind is not None
    session.bind.dispose()  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftover_table, "PAUSE_SECONDS", 0.001)


def server_of(lab: Lab, database: Session, user: str, name: str) -> Any:
    """The spawner of a named server with a row of its own."""
    who = orm.User.find(database, user) or orm.User(name=user)
    row = orm.Spawner(user=who, name=name)
    database.add_all([who, row])
    database.commit()
    spawner = lab.spawner(name, row=row)
    assert spawner.orm_spawner is row
    return spawner


async def left(lab: Lab, database: Session, holds: Any) -> Any:
    """A job whose cancel did not get through."""
    lab.scheduler.queue_seconds = 0
    spawner = server_of(lab, database, "alice", "work")
    start = asyncio.create_task(spawner.start())
    job = await lab.submitted(spawner)
    await holds(lambda: spawner.job is not None)
    spawner.accept_port(5000)
    await start
    lab.scheduler.fails["cancel"] = SchedulerUnavailableError("scancel: no answer")
    await spawner.stop()
    spawner.clear_state()
    spawner.save_now()
    return job


def a_new_process() -> None:
    for kept in leftover_table._shared.values():
        for task in kept._tasks.values():
            task.cancel()
    leftover_table._shared.clear()


async def test_a_removed_server_leaves_its_job_to_the_hub(
    lab: Lab, database: Session, holds: Any
) -> None:
    job = await left(lab, database, holds)
    database.query(orm.Spawner).delete()
    database.commit()
    lab.scheduler.fails.clear()
    await holds(lambda: job.outcome == (JobState.CANCELLED, None))
    await holds(lambda: not database.execute(text("select * from nearfield_leftovers")).all())


async def test_and_the_next_hub_cancels_it_although_its_user_is_gone_too(
    lab: Lab, database: Session, holds: Any
) -> None:
    job = await left(lab, database, holds)
    database.query(orm.Spawner).delete()
    database.query(orm.User).delete()
    database.commit()
    a_new_process()
    await asyncio.sleep(0)
    lab.scheduler.fails.clear()
    assert job.outcome is None
    server_of(lab, database, "bob", "")
    await holds(lambda: job.outcome == (JobState.CANCELLED, None))


async def test_all_servers_of_a_hub_share_them(lab: Lab, database: Session) -> None:
    one, other = (server_of(lab, database, user, "x") for user in ("alice", "bob"))
    assert one.leftovers is other.leftovers
    assert "leftovers" not in one.get_state()


async def test_a_database_that_takes_no_table_keeps_nobody_from_a_server(
    lab: Lab, database: Session, holds: Any, caplog: pytest.LogCaptureFixture
) -> None:
    database.execute(text("create table nearfield_leftovers (other int)"))
    job = await left(lab, database, holds)
    assert "no table for leftovers" in caplog.text
    assert "leftovers cannot be saved" in caplog.text
    lab.scheduler.fails.clear()
    await holds(lambda: job.outcome == (JobState.CANCELLED, None))
