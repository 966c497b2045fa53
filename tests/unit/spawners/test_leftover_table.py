"""A job that could not be cancelled outlives its server's row, its user and the hub's process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import text
from sqlalchemy.orm import Session

from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler import JobState
from nearfield_spawners import leftover_table
from nearfield_spawners.leftovers import Leftover

Lab = Any


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Session]:
    """As JupyterHub makes it. Who waited for a lock of SQLite would wait for an hour."""
    patient = {"timeout": 3600, "check_same_thread": False}
    url = f"sqlite:///{tmp_path}/jupyterhub.sqlite"
    session: Session = orm.new_session_factory(url, connect_args=patient)()
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


KEPT = "select name from nearfield_leftovers"


def a_leftover(lab: Lab, database: Session) -> Any:
    """Kept by the hub's leftovers, which cannot be cancelled for now."""
    lab.scheduler.fails["cancel"] = SchedulerUnavailableError("scancel: no answer")
    kept = server_of(lab, database, "alice", "work").leftovers
    return lambda name: kept.add(Leftover(cluster="lab", user="alice", name=name, number="17"))


async def test_what_cannot_be_saved_takes_nothing_of_other_handlers_with_it(
    lab: Lab, database: Session, caplog: pytest.LogCaptureFixture
) -> None:
    add = a_leftover(lab, database)
    database.execute(text("drop table nearfield_leftovers"))
    database.execute(text("create table nearfield_leftovers (other int)"))
    database.commit()
    database.add(orm.User(name="half-done"))
    database.flush()
    add("nf-1")
    assert "leftovers cannot be saved" in caplog.text
    assert orm.User.find(database, "half-done") is not None
    database.rollback()
    assert orm.User.find(database, "half-done") is None


async def test_what_is_saved_finishes_nothing_of_other_handlers(
    lab: Lab, database: Session, holds: Any
) -> None:
    add = a_leftover(lab, database)
    add("nf-1")
    database.add(orm.User(name="half-done"))
    database.flush()
    add("nf-2")  # another connection has the lock: this waits for nobody
    assert database.execute(text(KEPT)).scalars().all() == ["nf-1"]
    database.rollback()
    assert orm.User.find(database, "half-done") is None
    await holds(lambda: database.execute(text(KEPT)).scalars().all() == ["nf-1", "nf-2"])
    assert database.execute(text("PRAGMA busy_timeout")).scalar_one() == 3600_000


async def test_what_cannot_be_read_is_left_for_another_hub(
    lab: Lab, database: Session, caplog: pytest.LogCaptureFixture
) -> None:
    leftover_table.TABLE.create(database.connection())
    database.execute(text("insert into nearfield_leftovers values ('nf-0', 'of another release')"))
    database.commit()
    a_leftover(lab, database)("nf-1")
    assert "no table for leftovers" in caplog.text
    assert database.execute(text(KEPT)).scalars().all() == ["nf-0", "nf-1"]
