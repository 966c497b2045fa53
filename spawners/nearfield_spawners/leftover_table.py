"""The hub's leftovers in its database, in a table of their own.

Not with the servers that they were jobs of: a named server can be removed, and a user deleted,
while the scheduler does not answer. JupyterHub leaves tables that it does not know alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, MetaData, Table, Text, Unicode, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, object_session

from nearfield.scheduler import JobId, Scheduler
from nearfield_spawners.leftovers import Leftovers
from nearfield_spawners.live_config import LiveConfig

TABLE = Table(
    "nearfield_leftovers",
    MetaData(),
    Column("name", Unicode(64), primary_key=True),
    Column("told", Text, nullable=False),
)

PAUSE_SECONDS = 10.0

log = logging.getLogger("nearfield.leftovers")

_shared: WeakKeyDictionary[Any, Leftovers] = WeakKeyDictionary()  # one for a hub's database


def leftovers_of(row: Any, config_file: str) -> Leftovers:
    """The leftovers of the hub whose database holds this row of a spawner.

    The first to ask in a hub process has those of the process before gone on with. Without a
    database, as for a tool that only looks, they are in memory.
    """

    def scheduler(cluster: str) -> Scheduler:
        return LiveConfig.of(config_file).scheduler(cluster)

    async def find(cluster: str, user: str, name: str) -> JobId | None:
        return await LiveConfig.of(config_file).monitor(cluster).find(user, name)

    session = object_session(row) if row is not None else None
    if session is None or session.bind is None:
        return Leftovers(scheduler, lambda: None, find=find, pause_seconds=PAUSE_SECONDS)
    if session.bind not in _shared:
        kept = Leftovers(
            scheduler, lambda: _write(session, kept), find=find, pause_seconds=PAUSE_SECONDS
        )
        kept.load(_read(session))
        _shared[session.bind] = kept
        _go_on(kept)
    return _shared[session.bind]


def _go_on(kept: Leftovers) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return  # no hub around
    kept.go_on()


def _read(session: Session) -> list[dict[str, Any]]:
    try:
        TABLE.create(session.connection(), checkfirst=True)
        rows = session.execute(select(TABLE.c.told)).scalars().all()
        session.commit()
    except SQLAlchemyError as error:
        session.rollback()
        log.error("no table for leftovers; those of a hub that ends are lost: %s", error)
        return []
    return [json.loads(told) for told in rows]


def _write(session: Session, kept: Leftovers) -> None:
    rows = [{"name": entry["name"], "told": json.dumps(entry)} for entry in kept.dump()]
    try:
        session.execute(delete(TABLE))
        if rows:
            session.execute(insert(TABLE), rows)
        session.commit()
    except SQLAlchemyError as error:
        session.rollback()
        log.error("leftovers cannot be saved: %s", error)
